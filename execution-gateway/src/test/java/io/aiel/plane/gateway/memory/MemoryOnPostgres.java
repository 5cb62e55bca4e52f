package io.aiel.plane.gateway.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.audit.AuditCodec;
import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.audit.OutboxBudget;
import io.aiel.plane.audit.PgOutbox;
import io.aiel.plane.gateway.TestDatabase;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.Optional;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/** Memory on a real PostgreSQL with a clock that tests move. Each test has projects of its own. */
abstract class MemoryOnPostgres {
    static final Duration LIMIT = Duration.ofSeconds(30);
    static final ObjectMapper JSON = new ObjectMapper();
    static final MemorySettings.Sizes SIZES = new MemorySettings.Sizes(200, 1_000, 2_000, 1_000, 1L << 20);
    static final MemorySettings SETTINGS =
            new MemorySettings(new MemorySettings.Project(3, 300, 3, 100_000), SIZES, 8, 1_000, 5, 1_000, LIMIT);

    static TestDatabase database;
    static Pool pool;
    static ControlAudit audit;

    final MovedClock clock = new MovedClock();

    @BeforeAll
    static void connect() {
        database = TestDatabase.open(16);
        pool = database.pool();
        PgOutbox outbox = new PgOutbox(pool, new OutboxBudget(1_000_000, 1L << 40), Duration.ofMinutes(1), LIMIT);
        audit = new ControlAudit(new AuditCodec(Clock.systemUTC()), outbox);
    }

    @AfterAll
    static void disconnect() {
        database.close();
    }

    /** Stands still between the moves of a test. */
    static final class MovedClock extends Clock {
        private volatile Instant now = Instant.now();

        void move(Duration by) {
            now = now.plus(by);
        }

        @Override
        public Instant instant() {
            return now;
        }

        @Override
        public ZoneId getZone() {
            return ZoneOffset.UTC;
        }

        @Override
        public Clock withZone(ZoneId zone) {
            return this;
        }
    }

    Memory memory(MemorySettings settings) {
        return new Memory(settings, pool, audit, clock);
    }

    MemoryStore store(MemorySettings settings) {
        return new MemoryStore(pool, audit, settings);
    }

    static ProjectScope newProject() {
        return newProject(TenantId.create());
    }

    static ProjectScope newProject(TenantId tenant) {
        ProjectScope scope = new ProjectScope(tenant, WorkspaceId.create(), ProjectId.create());
        await(pool.preparedQuery(
                        "insert into tenants (id, slug, name, created_at) values ($1, $1, 't', now()) on conflict do nothing")
                .execute(Tuple.of(tenant.value())));
        await(pool.preparedQuery(
                        "insert into workspaces (id, tenant_id, slug, name, created_at) values ($1, $2, $1, 'w', now())")
                .execute(Tuple.of(scope.workspace().value(), tenant.value())));
        await(pool.preparedQuery(
                        "insert into projects (id, tenant_id, workspace_id, slug, name, settings, created_at) values ($1, $2, $3, 'p', 'p', '{}', now())")
                .execute(Tuple.of(
                        scope.project().value(),
                        tenant.value(),
                        scope.workspace().value())));
        return scope;
    }

    static AuditContext context(ProjectScope scope) {
        return new AuditContext(
                scope.tenant(),
                Optional.of(scope.workspace()),
                Optional.of(scope.project()),
                Optional.empty(),
                "req",
                "");
    }

    static <T> T await(Uni<T> uni) {
        return uni.await().atMost(LIMIT);
    }

    /** The answer as a caller gets it. */
    static JsonNode answer(Uni<JsonNode> uni) {
        return json(await(uni).toString());
    }

    static JsonNode json(String text) {
        try {
            return JSON.readTree(text);
        } catch (JsonProcessingException e) {
            throw new AssertionError(text, e);
        }
    }

    static Refusal refused(Supplier<Uni<JsonNode>> call) {
        Refusal refusal = catchThrowableOfType(Refusal.class, () -> await(call.get()));
        assertThat(refusal).as("it was to be refused").isNotNull();
        return refusal;
    }

    static void assertRefused(ErrorCode code, String inDetail, Supplier<Uni<JsonNode>> call) {
        Refusal refusal = refused(call);
        assertThat(refusal.code()).as(refusal.detail()).isEqualTo(code);
        assertThat(refusal.detail()).contains(inDetail);
    }
}
