/** Runs capabilities in sandboxed workers. Door: {@link io.aiel.plane.hydrator.Hydrator}. */
@NullMarked
package io.aiel.plane.hydrator;

import org.jspecify.annotations.NullMarked;
