/** Tests of files that need no database. */
@NullMarked
package io.aiel.plane.registry.files;

import org.jspecify.annotations.NullMarked;
