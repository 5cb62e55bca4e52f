package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.Tuple;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ExecutionQueriesTest extends ExecutionsOnPostgres {
    /** A project's history, of which each row is one that is there already under another id. */
    private static final String MANY = """
            insert into executions select (jsonb_populate_record(e, jsonb_build_object(
                'id', 'exec_' || md5(n::text), 'request_id', 'order-' || n))).*
            from executions e, generate_series(1000, 4000) n where e.id = (select max(id) from executions)
            """;

    private final Server server = new Server("one");

    private ExecutionId requested(String requestId) {
        ExecutionId id = server.admit().id();
        await(pool.preparedQuery("update executions set request_id = $2 where id = $1")
                .execute(Tuple.of(id.value(), requestId)));
        return id;
    }

    private List<String> found(ProjectScope scope, String requestId) {
        ExecutionQueries.Filter filter = new ExecutionQueries.Filter(
                Optional.empty(), Optional.empty(), Optional.empty(), Optional.of(requestId), Optional.empty(), 10);
        return await(new ExecutionQueries(pool, LIMIT).list(scope, filter)).stream()
                .map(row -> row.getString("id"))
                .toList();
    }

    @Test
    void findsWhatBecameOfARequestByTheIdThatItsCallerSent() {
        ExecutionId first = requested("order-17");
        ExecutionId again = requested("order-17");
        requested("order-18");

        assertThat(found(SCOPE, "order-17")).containsExactly(again.value(), first.value());
        assertThat(found(SCOPE, "order-1_")).isEmpty();
    }

    @Test
    void findsItByAnIdThatAServerGaveToo() {
        ExecutionId given = requested("req_01a2");

        assertThat(found(SCOPE, "req_01a2")).containsExactly(given.value());
    }

    @Test
    void findsNothingOfAnotherProject() {
        requested("order-19");

        assertThat(found(new ProjectScope(SCOPE.tenant(), SCOPE.workspace(), ProjectId.create()), "order-19"))
                .isEmpty();
    }

    /** Seen to fail with a condition that holds for no id too. */
    @Test
    void readsAnIndexForTheIdOfARequest() {
        requested("order-20");
        StringBuilder plan = new StringBuilder();
        await(pool.getConnection()
                        .chain(connection -> connection
                                .begin()
                                .chain(begun -> connection
                                        .query(MANY)
                                        .execute()
                                        .chain(() -> connection
                                                .query("analyze executions")
                                                .execute())
                                        .chain(() -> connection
                                                .query("explain (generic_plan) " + ExecutionQueries.listing(true))
                                                .execute())
                                        .call(begun::rollback))
                                .eventually(connection::close)))
                .forEach((Row row) -> plan.append(row.getString(0)));

        assertThat(plan).contains("executions_by_request");
    }
}
