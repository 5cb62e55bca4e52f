package io.aiel.plane.gateway.execution;

import java.time.Instant;

/**
 * Which run of which schedule an execution is. Kept together with its admission, so that it is known to have begun.
 *
 * @param dueAt when it was due
 */
public record ScheduledRun(String schedule, Instant dueAt) {}
