package io.aiel.plane.gateway.execution;

import io.aiel.plane.gateway.callback.CallbackWish;
import io.aiel.plane.gateway.execution.PostgresExecutionStore.Placed;
import io.aiel.plane.vocabulary.DecisionId;
import io.aiel.plane.vocabulary.ExecutionId;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The parts of the journal's statement that concern the queue, its answers, and kept inputs. Immutable. */
final class QueueStatements {
    // What belongs to an entry is written when that takes effect; what always does has no part.
    private static final String OF_WHAT_TAKES_EFFECT = "v.part is null or v.part in (select place from effective)";

    private final String incarnation;

    /** @param incarnation names this start of this server, which holds the claims of what it begins */
    QueueStatements(String incarnation) {
        this.incarnation = incarnation;
    }

    /** The columns that only executions which are queued or replayed have. */
    static JournalStatement.Rows<Admission> columns(JournalStatement.Rows<Admission> rows) {
        return rows.integers("priority", a -> wishes(a).map(Queueing::priority).orElse(null))
                .times("start_at", a -> wishes(a).flatMap(Queueing::startAt).orElse(null))
                .integers("attempt", a -> wishes(a).map(_ -> 0).orElse(null))
                .integers(
                        "attempts_max",
                        a -> a.queued().map(work -> work.retry().attemptsMax()).orElse(null))
                .text("replay_of", a -> a.replayOf().map(ExecutionId::value).orElse(null));
    }

    private static Optional<Queueing> wishes(Admission admission) {
        return admission.queued().map(QueuedWork::wishes);
    }

    /** Adds the parts that begin executions and that put them back; returns what selects the places of those that took effect. */
    List<String> overtakable(JournalStatement statement, List<JournalEntry> entries) {
        List<String> places = new ArrayList<>();
        List<Placed<Start>> starts = PostgresExecutionStore.only(Start.class, entries);
        if (!starts.isEmpty()) {
            statement.part("begun", """
                    update executions e set status = 'running', incarnation = v.incarnation, decision_id = v.decision_id,
                        policy_digest = v.policy_digest, started_at = v.started_at, attempt = e.attempt + 1,
                        audit_sequence = v.audit_sequence, audit_hash = v.audit_hash
                    from %s
                    where e.id = v.id and e.status = 'queued' and e.audit_sequence = v.continues_from
                        and exists (select 1 from execution_queue q where q.execution = v.id and q.claimed_by = v.incarnation)
                    returning v.place
                    """.formatted(starts(statement, starts)));
            places.add("select place from begun");
        }
        List<Placed<Requeue>> requeues = PostgresExecutionStore.only(Requeue.class, entries);
        if (!requeues.isEmpty()) {
            statement.part("put_back", """
                    update executions e set status = 'queued', attempt = e.attempt - v.uncounted,
                        audit_sequence = v.audit_sequence, audit_hash = v.audit_hash
                    from %s
                    where e.id = v.id and e.status = 'running' and e.audit_sequence = v.continues_from and %s
                    returning v.place
                    """.formatted(
                            requeued(statement, requeues), PostgresExecutionStore.STILL_THIS_ATTEMPT));
            places.add("select place from put_back");
        }
        return places;
    }

    private static String requeued(JournalStatement statement, List<Placed<Requeue>> requeues) {
        return statement
                .rows(requeues)
                .integers("place", Placed::place)
                .text("id", r -> r.entry().id().value())
                .text(
                        "begun_by",
                        r -> r.entry().begunBy().map(DecisionId::value).orElse(null))
                .integers("uncounted", r -> r.entry().ran() ? 0 : 1)
                .longs("audit_sequence", r -> r.entry().position().sequence())
                .text(
                        "audit_hash",
                        r -> r.entry().position().hash().orElseThrow().value())
                .longs("continues_from", r -> continuesFrom(r.entry()))
                .as("v");
    }

    private String starts(JournalStatement statement, List<Placed<Start>> starts) {
        return statement
                .rows(starts)
                .integers("place", Placed::place)
                .text("id", s -> s.entry().id().value())
                .text("incarnation", _ -> incarnation)
                .text("decision_id", s -> s.entry().decision().id().value())
                .text("policy_digest", s -> s.entry().decision().policyDigest().value())
                .times("started_at", s -> s.entry().startedAt())
                .longs("audit_sequence", s -> s.entry().position().sequence())
                .text(
                        "audit_hash",
                        s -> s.entry().position().hash().orElseThrow().value())
                .longs("continues_from", s -> continuesFrom(s.entry()))
                .as("v");
    }

    private static long continuesFrom(JournalEntry entry) {
        return switch (entry) {
            case Start start -> start.position().sequence() - start.records().size();
            case Requeue requeue ->
                requeue.position().sequence() - requeue.records().size();
            case Admission _, Progress _, Closure _ -> throw new IllegalArgumentException("not of the queue");
        };
    }

    /** Adds the parts that write what waits, what is put back, what is kept, and that take out what has ended. */
    void write(JournalStatement statement, List<JournalEntry> entries) {
        List<Placed<Admission>> admissions = PostgresExecutionStore.only(Admission.class, entries);
        waits(
                statement,
                admissions.stream().filter(a -> a.entry().queued().isPresent()).toList());
        callbacks(
                statement,
                admissions.stream()
                        .filter(a ->
                                a.entry().queued().flatMap(QueuedWork::callback).isPresent())
                        .toList());
        scheduled(
                statement,
                admissions.stream()
                        .filter(a -> a.entry().scheduled().isPresent())
                        .toList());
        inputs(
                statement,
                admissions.stream().filter(a -> a.entry().kept().isPresent()).toList());
        putBack(statement, PostgresExecutionStore.only(Requeue.class, entries));
        ends(
                statement,
                PostgresExecutionStore.only(Closure.class, entries).stream()
                        .filter(c -> c.entry().queueEnd().isPresent())
                        .toList());
    }

    private static void waits(JournalStatement statement, List<Placed<Admission>> queued) {
        if (queued.isEmpty()) {
            return;
        }
        statement.part("waits", """
                insert into execution_queue (execution, project, priority, ready_at, backoff_ms, backoff_ms_max, token,
                    principal_kind, source_address, base_url, input)
                select v.execution, v.project, v.priority, v.ready_at, v.backoff_ms, v.backoff_ms_max, v.token,
                    v.principal_kind, v.source_address, v.base_url, v.input
                from %s where %s
                """.formatted(
                statement
                        .rows(queued)
                        .integers("part", QueueStatements::part)
                        .text("execution", a -> a.entry().id().value())
                        .text(
                                "project",
                                a -> a.entry().caller().scope().project().value())
                        .integers("priority", a -> work(a).wishes().priority())
                        .times("ready_at", a -> work(a).readyAt())
                        .longs("backoff_ms", a -> work(a).retry().backoff().toMillis())
                        .longs(
                                "backoff_ms_max",
                                a -> work(a).retry().backoffMax().toMillis())
                        .text(
                                "token",
                                a -> a.entry().caller().principal().tokenId().value())
                        .text(
                                "principal_kind",
                                a -> a.entry().caller().principal().kind().name())
                        .text("source_address", a -> a.entry().caller().sourceAddress())
                        .text("base_url", a -> a.entry().caller().baseUrl())
                        .text("input", a -> work(a).input().value())
                        .as("v"),
                OF_WHAT_TAKES_EFFECT));
    }

    private static void callbacks(JournalStatement statement, List<Placed<Admission>> wished) {
        if (wished.isEmpty()) {
            return;
        }
        statement.part("tells", """
                insert into callback_deliveries (execution, project, lane, origin, url, include_result, state)
                select v.execution, v.project, v.project || ' ' || v.host, v.origin, v.url, v.include_result = 1, 'waiting'
                from %s where %s
                """.formatted(
                statement
                        .rows(wished)
                        .integers("part", QueueStatements::part)
                        .text("execution", a -> a.entry().id().value())
                        .text(
                                "project",
                                a -> a.entry().caller().scope().project().value())
                        .text("host", a -> callback(a).url().host().toString())
                        .text("origin", a -> callback(a).url().toString())
                        .text("url", a -> callback(a).storedUrl())
                        .integers("include_result", a -> callback(a).includeResult() ? 1 : 0)
                        .as("v"),
                OF_WHAT_TAKES_EFFECT));
    }

    private static void scheduled(JournalStatement statement, List<Placed<Admission>> runs) {
        if (runs.isEmpty()) {
            return;
        }
        statement.part("runs", """
                insert into schedule_runs (schedule, due_at, outcome, execution, at)
                select v.schedule, v.due_at, v.outcome, v.execution, v.at
                from %s where %s
                on conflict (schedule, due_at) do nothing
                """.formatted(
                        statement
                                .rows(runs)
                                .integers("part", QueueStatements::part)
                                .text("schedule", a -> run(a).schedule())
                                .times("due_at", a -> run(a).dueAt())
                                .text("outcome", a -> a.entry().denied() ? "denied" : "queued")
                                .text("execution", a -> a.entry().id().value())
                                .times("at", a -> a.entry().requestedAt())
                                .as("v"),
                        OF_WHAT_TAKES_EFFECT));
    }

    private static ScheduledRun run(Placed<Admission> admission) {
        return admission.entry().scheduled().orElseThrow();
    }

    private static CallbackWish callback(Placed<Admission> admission) {
        return work(admission).callback().orElseThrow();
    }

    private static QueuedWork work(Placed<Admission> admission) {
        return admission.entry().queued().orElseThrow();
    }

    private static @Nullable Integer part(Placed<Admission> admission) {
        return PostgresExecutionStore.alwaysTakesEffect(admission.entry()) ? null : admission.place();
    }

    private static void inputs(JournalStatement statement, List<Placed<Admission>> kept) {
        if (kept.isEmpty()) {
            return;
        }
        statement.part("inputs", """
                insert into execution_inputs (execution, input, expires_at)
                select v.execution, v.input, v.expires_at from %s where %s
                """.formatted(
                statement
                        .rows(kept)
                        .integers("part", QueueStatements::part)
                        .text("execution", a -> a.entry().id().value())
                        .text(
                                "input",
                                a -> a.entry().kept().orElseThrow().input().value())
                        .times("expires_at", a -> a.entry().kept().orElseThrow().expiresAt())
                        .as("v"),
                OF_WHAT_TAKES_EFFECT));
    }

    private static void putBack(JournalStatement statement, List<Placed<Requeue>> requeues) {
        if (requeues.isEmpty()) {
            return;
        }
        statement.part("waits_again", """
                update execution_queue q set claimed_by = null, claimed_at = null, ready_at = v.ready_at,
                    deferrals = q.deferrals + v.deferred
                from %s where q.execution = v.execution and v.place in (select place from effective)
                """.formatted(statement
                .rows(requeues)
                .integers("place", Placed::place)
                .text("execution", r -> r.entry().id().value())
                .times("ready_at", r -> r.entry().readyAt())
                .integers("deferred", r -> r.entry().ran() ? 0 : 1)
                .as("v")));
    }

    private static void ends(JournalStatement statement, List<Placed<Closure>> closures) {
        if (closures.isEmpty()) {
            return;
        }
        statement.part("waits_no_more", """
                delete from execution_queue q using %s
                where q.execution = v.execution and v.place in (select place from effective)
                """.formatted(statement
                .rows(closures)
                .integers("place", Placed::place)
                .text("execution", c -> c.entry().id().value())
                .as("v")));
        told(statement, closures);
        statement.part("results", """
                insert into execution_results (execution, http_status, envelope, expires_at)
                select v.execution, v.http_status, v.envelope, v.expires_at from %s
                where v.place in (select place from effective)
                """.formatted(statement
                .rows(closures)
                .integers("place", Placed::place)
                .text("execution", c -> c.entry().id().value())
                .integers("http_status", c -> c.entry().httpStatus())
                .text("envelope", c -> end(c).envelope().value())
                .times("expires_at", c -> end(c).expiresAt())
                .as("v")));
    }

    /** What is to be told of those that end is due from now on. */
    private static void told(JournalStatement statement, List<Placed<Closure>> closures) {
        statement.part("told", """
                update callback_deliveries d set state = 'pending', due_since = clock_timestamp(), next_at = clock_timestamp()
                from %s where d.execution = v.execution and v.place in (select place from effective)
                """.formatted(statement
                .rows(closures)
                .integers("place", Placed::place)
                .text("execution", c -> c.entry().id().value())
                .as("v")));
    }

    private static QueueEnd end(Placed<Closure> closure) {
        return closure.entry().queueEnd().orElseThrow();
    }
}
