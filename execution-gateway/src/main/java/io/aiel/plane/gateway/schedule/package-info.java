/**
 * Executions that are begun again and again, by cron. What is due becomes a submission into the queue of {@link io.aiel.plane.gateway.execution}
 * and nothing else: resolved, decided, admitted and recorded there. The door is {@link io.aiel.plane.gateway.schedule.Schedules}.
 */
@NullMarked
package io.aiel.plane.gateway.schedule;

import org.jspecify.annotations.NullMarked;
