/** Classes that break each architecture rule once; read by {@code ArchitectureTest} alone. */
@NullMarked
package io.aiel.plane.architecture.counterexample;

import org.jspecify.annotations.NullMarked;
