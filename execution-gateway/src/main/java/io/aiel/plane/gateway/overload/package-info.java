/**
 * Overload: how many executions this server has in its hands at once, and how projects share that. The door is
 * {@link io.aiel.plane.gateway.overload.ExecutionGate}. Plain Java beside the library that computes the limit; knows the
 * vocabulary alone.
 */
@NullMarked
package io.aiel.plane.gateway.overload;

import org.jspecify.annotations.NullMarked;
