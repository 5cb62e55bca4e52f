package io.aiel.plane.gateway.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.vocabulary.ProjectScope;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The second line, as the tables' owner meets it: the server connects as an ordinary role. Seen to fail: without the policies, each table showed
 * the other project's rows, and took a row for it.
 */
class MemoryRowSecurityTest extends MemoryOnPostgres {
    private final ProjectScope ours = newProject();
    private final ProjectScope theirs = newProject();
    private final Memory memory = memory(SETTINGS);

    private void write(ProjectScope scope) {
        answer(memory.append(
                scope, "t", json("{\"messages\": [{\"role\": \"ai\", \"content\": \"m\"}], \"ttl_seconds\": 60}")));
        answer(memory.patch(scope, "t", json("{\"patch\": {\"a\": 1}}")));
        answer(memory.checkpoint(scope, "t", json("{\"state\": {\"a\": 1}}")));
        answer(memory.put(scope, json("{\"namespace\": [\"n\"], \"key\": \"k\", \"ttl_seconds\": 60}")));
    }

    private static long seen(String table, String as) {
        return await(pool.withTransaction(connection -> connection
                        .preparedQuery(MemoryStatements.ABOUT)
                        .execute(Tuple.of(as, true))
                        .chain(() -> connection
                                .query("select count(*) from " + table)
                                .execute())))
                .iterator()
                .next()
                .getLong(0);
    }

    @Test
    void bindsTheRoleThatTheServerHas() {
        assertThat(await(pool.query("select rolsuper or rolbypassrls from pg_roles where rolname = current_user")
                                .execute())
                        .iterator()
                        .next()
                        .getBoolean(0))
                .as("what follows would show nothing")
                .isFalse();
    }

    @Test
    void worksForARoleThatItBinds() {
        write(ours);
        write(theirs);

        assertThat(answer(memory.messages(ours, "t", 50)).path("messages")).hasSize(1);
        assertThat(answer(memory.state(ours, "t")).path("state")).hasSize(1);
        answer(memory.latest(ours, "t"));
        JsonNode all = json("{\"namespace\": [\"n\"]}");
        assertThat(answer(memory.search(ours, all)).path("items")).hasSize(1);
        clock.move(Duration.ofMinutes(2));
        MemoryStore store = store(SETTINGS);
        int rounds = 0;
        while (await(store.sweep(clock.instant())).orElse(1) > 0) {
            assertThat(rounds++).as("a sweep ends").isLessThan(1_000);
        }
        assertThat(seen("memory_items", ours.project().value())).isZero();
        assertThat(seen("memory_messages", theirs.project().value())).isZero();
    }

    @ParameterizedTest
    @ValueSource(strings = {"memory_threads", "memory_messages", "memory_checkpoints", "memory_items", "memory_usage"})
    void hidesOtherProjectsFromAStatementThatForgotToAsk(String table) {
        write(ours);
        long before = seen(table, ours.project().value());
        write(theirs);

        assertThat(before).isPositive();
        assertThat(seen(table, ours.project().value())).isEqualTo(before);
        assertThat(seen(table, "")).isZero();
        assertThat(await(pool.preparedQuery(
                                        "select relrowsecurity and relforcerowsecurity from pg_class where relname = $1")
                                .execute(Tuple.of(table)))
                        .iterator()
                        .next()
                        .getBoolean(0))
                .as("it binds the tables' owner, too")
                .isTrue();
    }

    @Test
    void takesNoRowForAnotherProject() {
        assertThatThrownBy(() -> await(pool.withTransaction(connection -> connection
                        .preparedQuery(MemoryStatements.ABOUT)
                        .execute(Tuple.of(ours.project().value(), true))
                        .chain(() -> connection
                                .preparedQuery("insert into memory_usage (project, shard) values ($1, 'x')")
                                .execute(Tuple.of(theirs.project().value()))))))
                .hasMessageContaining("row-level security");
        assertThat(List.of(seen("memory_usage", theirs.project().value()))).containsExactly(0L);
    }
}
