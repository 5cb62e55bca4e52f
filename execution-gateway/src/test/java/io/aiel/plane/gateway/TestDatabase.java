package io.aiel.plane.gateway;

import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.core.Vertx;
import io.vertx.mutiny.pgclient.PgBuilder;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.pgclient.PgConnectOptions;
import io.vertx.sqlclient.PoolOptions;
import java.time.Duration;
import java.util.Map;
import org.flywaydb.core.Flyway;

/**
 * The real PostgreSQL of {@link EmbeddedServers} with the plane's tables, for tests of a part that needs no server around it. Other such tests
 * use the same tables; the server that {@code @QuarkusTest} runs in the same JVM has tables of its own, or it would take what is due or queued
 * here for its own work.
 */
public final class TestDatabase implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofSeconds(10);
    private static final String SCHEMA = "parts";

    private final Vertx vertx = Vertx.vertx();
    private final Pool pool;

    private TestDatabase(int connections) {
        Map<String, String> settings = EmbeddedServers.settings(false);
        String user = settings.get("quarkus.datasource.username");
        String password = settings.get("quarkus.datasource.password");
        Flyway.configure()
                .dataSource(settings.get("quarkus.datasource.jdbc.url"), user, password)
                .schemas(SCHEMA)
                .load()
                .migrate();
        pool = PgBuilder.pool()
                .with(new PoolOptions().setMaxSize(connections))
                .connectingTo(PgConnectOptions.fromUri(settings.get("quarkus.datasource.reactive.url"))
                        .setUser(user)
                        .setPassword(password)
                        .addProperty("search_path", SCHEMA))
                .using(vertx)
                .build();
    }

    /** Brings the tables up to date and connects, with at most so many connections. */
    public static TestDatabase open(int connections) {
        return new TestDatabase(connections);
    }

    /** Its connections; closed with this. */
    public Pool pool() {
        return pool;
    }

    @Override
    public void close() {
        await(pool.close());
        await(vertx.close());
    }

    private static void await(Uni<Void> end) {
        end.await().atMost(LIMIT);
    }
}
