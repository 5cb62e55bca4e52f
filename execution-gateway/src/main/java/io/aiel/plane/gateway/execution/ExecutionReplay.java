package io.aiel.plane.gateway.execution;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Finds the kept input of an execution, so that it can be asked for again. Thread-safe. */
public final class ExecutionReplay {
    private static final String FIND = """
            select e.principal, e.snapshot_digest, i.input
            from executions e left join execution_inputs i on i.execution = e.id and i.expires_at > clock_timestamp()
            where e.tenant = $1 and e.project = $2 and e.id = $3
            """;

    private final Pool pool;
    private final ObjectMapper json;
    private final Duration timeout;

    ExecutionReplay(Pool pool, ObjectMapper json, Duration timeout) {
        this.pool = pool;
        this.json = json;
        this.timeout = timeout;
    }

    /** What is known of the input of an execution that the project has. */
    public sealed interface Found {
        /** A runner request for the same input; without a target, which is to be added. */
        record Kept(ObjectNode request, String snapshot) implements Found {}

        /** It was not kept, or for so long. */
        record NotKept() implements Found {}

        /** It was kept, for another principal. */
        record NotYours() implements Found {}
    }

    /** What there is; empty when the project has no execution with this id. */
    public Uni<Optional<Found>> find(ProjectScope scope, ExecutionId id, PrincipalId asking) {
        return pool.preparedQuery(FIND)
                .execute(Tuple.of(scope.tenant().value(), scope.project().value(), id.value()))
                .ifNoItem()
                .after(timeout)
                .fail()
                .map(rows -> {
                    for (Row row : rows) {
                        return Optional.of(found(row, asking));
                    }
                    return Optional.empty();
                });
    }

    private Found found(Row row, PrincipalId asking) {
        @Nullable String input = row.getString("input");
        if (input == null) {
            return new Found.NotKept();
        }
        if (!row.getString("principal").equals(asking.value())) {
            return new Found.NotYours();
        }
        try {
            return new Found.Kept((ObjectNode) json.readTree(input), row.getString("snapshot_digest"));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a kept input is well-formed JSON", e);
        }
    }
}
