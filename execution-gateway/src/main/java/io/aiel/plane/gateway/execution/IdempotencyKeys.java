package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Duration;
import java.util.Optional;

/**
 * What idempotency keys were used for. Keys are claimed with the admission and get their answer with the end, in the same
 * statements ({@link PostgresExecutionStore}); here they are looked up and forgotten. Thread-safe.
 */
final class IdempotencyKeys {
    private static final String FIND = """
            select k.fingerprint, k.execution, e.status, coalesce(k.http_status, e.http_status) as http_status, k.envelope
            from idempotency_keys k join executions e on e.id = k.execution
            where k.project = $1 and k.principal = $2 and k.key = $3 and k.expires_at > clock_timestamp()
            """;

    // What still waits or runs keeps its key, however long ago it began.
    private static final String FORGET = """
            delete from idempotency_keys where (project, principal, key) in (
                select k.project, k.principal, k.key from idempotency_keys k
                where k.expires_at <= clock_timestamp()
                    and not exists (select 1 from executions e where e.id = k.execution and e.status in ('queued', 'running'))
                order by k.expires_at limit $1)
            """;

    private static final int FORGOTTEN_AT_ONCE = 2_000;

    private final Pool pool;
    private final Duration timeout;

    IdempotencyKeys(Pool pool, Duration timeout) {
        this.pool = pool;
        this.timeout = timeout;
    }

    /** The use of a key. */
    sealed interface Use {
        Digest fingerprint();

        ExecutionId execution();

        /** Its execution has not ended. */
        record Running(Digest fingerprint, ExecutionId execution) implements Use {}

        /** Its execution was answered so, or would have been if the caller had waited. */
        record Answered(Digest fingerprint, ExecutionId execution, int httpStatus, JsonText envelope) implements Use {}

        /** Its execution ended without an answer: nobody knows what it did. */
        record Lost(Digest fingerprint, ExecutionId execution) implements Use {}
    }

    /** What the key was used for; empty when it was not, or too long ago. */
    Uni<Optional<Use>> find(IdempotencyKey key) {
        return pool.preparedQuery(FIND)
                .execute(Tuple.of(key.project().value(), key.principal().value(), key.text()))
                .ifNoItem()
                .after(timeout)
                .fail()
                .map(rows -> {
                    for (Row row : rows) {
                        return Optional.of(use(row));
                    }
                    return Optional.empty();
                });
    }

    /** Forgets keys whose time is over, so many at most; the item is how many there were. */
    Uni<Integer> forget() {
        return pool.preparedQuery(FORGET)
                .execute(Tuple.of(FORGOTTEN_AT_ONCE))
                .ifNoItem()
                .after(timeout)
                .fail()
                .map(rows -> rows.rowCount());
    }

    private static Use use(Row row) {
        Digest fingerprint = new Digest(row.getString("fingerprint"));
        ExecutionId execution = new ExecutionId(row.getString("execution"));
        String envelope = row.getString("envelope");
        if (envelope != null) {
            return new Use.Answered(fingerprint, execution, row.getInteger("http_status"), new JsonText(envelope));
        }
        return ExecutionStatus.goesOn(row.getString("status"))
                ? new Use.Running(fingerprint, execution)
                : new Use.Lost(fingerprint, execution);
    }
}
