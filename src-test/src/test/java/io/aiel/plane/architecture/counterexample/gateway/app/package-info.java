/** Breaks rules on purpose, so that they can be seen to fail. */
@NullMarked
package io.aiel.plane.architecture.counterexample.gateway.app;

import org.jspecify.annotations.NullMarked;
