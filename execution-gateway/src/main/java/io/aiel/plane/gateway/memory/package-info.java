/**
 * What agents remember, by the memory calls of the wire contract: threads with their messages and state, checkpoints, and recall items. The door
 * is {@link io.aiel.plane.gateway.memory.Memory}. What is remembered is in its tables and in answers, never in a record, a log or an error.
 */
@NullMarked
package io.aiel.plane.gateway.memory;

import org.jspecify.annotations.NullMarked;
