package io.aiel.plane.gateway.execution;

import io.aiel.plane.gateway.loops.EventLoops;
import io.aiel.plane.gateway.overload.Entry;
import io.aiel.plane.gateway.overload.ExecutionGate;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ProjectId;
import io.smallrye.mutiny.Uni;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import org.jboss.logging.Logger;

/** Where executions get their places: asks the gate, and says what a refusal is called. Thread-safe. */
final class Entrance {
    private static final Logger LOG = Logger.getLogger(Entrance.class);
    private static final int RETRY_SECONDS_MAX = 3;
    private static final Duration SAID_EVERY = Duration.ofSeconds(10);

    private final ExecutionGate gate;
    private final ExecutionMetrics metrics;
    private final LongAdder unsaid = new LongAdder();
    private final AtomicLong saidAt = new AtomicLong(System.nanoTime() - SAID_EVERY.toNanos());

    Entrance(ExecutionGate gate, ExecutionMetrics metrics) {
        this.gate = gate;
        this.metrics = metrics;
    }

    /** Whoever has to wait goes on where the request came in, not on the thread that made room. */
    Uni<Entry> enter(ProjectId project) {
        return EventLoops.goOnHere(Uni.createFrom().completionStage(gate.enter(project)));
    }

    /** The answer, counted, to a project that would be refused now; empty when it may come in. */
    Optional<ExecutionAnswer.Refused> refusal(ProjectId project) {
        return gate.refusal(project).map(reason -> refused(project, reason));
    }

    /** Counts the refusal and makes its answer. */
    ExecutionAnswer.Refused refused(ProjectId project, Entry.Reason reason) {
        metrics.refused(reason);
        sayNowAndThen(project, reason);
        return switch (reason) {
            case PROJECT ->
                new ExecutionAnswer.Refused(
                        ErrorCode.RATE_LIMITED,
                        "The project has as many executions at once as its share of this server allows.",
                        Optional.of(someSeconds()));
            case NODE, WAITED ->
                new ExecutionAnswer.Refused(
                        ErrorCode.CAPACITY_EXHAUSTED,
                        "The server has all the executions in hand that it can take.",
                        Optional.of(someSeconds()));
        };
    }

    /** One line in ten seconds at most: no metric may name a project, and an operator wants to know which one it is. */
    private void sayNowAndThen(ProjectId project, Entry.Reason reason) {
        unsaid.increment();
        long said = saidAt.get();
        long now = System.nanoTime();
        if (now - said > SAID_EVERY.toNanos() && saidAt.compareAndSet(said, now)) {
            LOG.warnf(
                    "%d executions found no place since this was last said; this one (%s) was of project %s; %s",
                    unsaid.sumThenReset(), reason, project, gate.state());
        }
    }

    /** Not the same for all, or they would all come back together. */
    static Duration someSeconds() {
        return Duration.ofSeconds(ThreadLocalRandom.current().nextInt(1, RETRY_SECONDS_MAX + 1));
    }
}
