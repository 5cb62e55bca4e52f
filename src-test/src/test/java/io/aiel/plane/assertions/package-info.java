/** Comparisons that more than one scenario makes. */
@NullMarked
package io.aiel.plane.assertions;

import org.jspecify.annotations.NullMarked;
