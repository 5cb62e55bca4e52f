/** Holds the documentation to the product. */
@NullMarked
package io.aiel.plane.docs;

import org.jspecify.annotations.NullMarked;
