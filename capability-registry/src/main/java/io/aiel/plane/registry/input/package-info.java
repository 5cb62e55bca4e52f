/** Checks events against the input schemas of capabilities. Depends on the vocabulary. */
@NullMarked
package io.aiel.plane.registry.input;

import org.jspecify.annotations.NullMarked;
