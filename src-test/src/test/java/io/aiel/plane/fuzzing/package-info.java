/** Runs the fuzz targets that stand beside the parsers of the modules. */
@NullMarked
package io.aiel.plane.fuzzing;

import org.jspecify.annotations.NullMarked;
