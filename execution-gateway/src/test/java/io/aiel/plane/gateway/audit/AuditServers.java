package io.aiel.plane.gateway.audit;

import io.aiel.plane.audit.AuditSink;
import io.aiel.plane.audit.OutboxBudget;
import io.aiel.plane.audit.OutboxRelay;
import io.aiel.plane.audit.PgOutbox;
import io.aiel.plane.audit.RelaySettings;
import io.aiel.plane.audit.SinkSettings;
import io.aiel.plane.audit.TelemetrySink;
import io.vertx.mutiny.core.Vertx;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.pgclient.PgBuilder;
import io.vertx.pgclient.PgConnectOptions;
import io.vertx.sqlclient.PoolOptions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.flywaydb.core.Flyway;

/** A schema of its own with the real tables, topics of their own, and pipelines on them; closes what it made. */
final class AuditServers implements AutoCloseable {
    static final Duration LIMIT = Duration.ofSeconds(60);
    static final int CONNECTIONS = 10;

    final Pool pool;
    final String auditTopic;
    final String telemetryTopic;
    final Map<String, Object> kafka;
    private final Vertx vertx;
    private final List<Runnable> open = new ArrayList<>();

    /**
     * @param name names the schema, which must not exist
     */
    AuditServers(String name, String jdbcUrl, String user, String password, String bootstrap) {
        Flyway.configure()
                .dataSource(jdbcUrl, user, password)
                .schemas(name)
                .locations("classpath:db/migration")
                .load()
                .migrate();
        vertx = Vertx.vertx();
        pool = Pool.newInstance(PgBuilder.pool()
                .with(new PoolOptions().setMaxSize(CONNECTIONS))
                .connectingTo(
                        PgConnectOptions.fromUri(withoutParameters(jdbcUrl).substring("jdbc:".length()))
                                .setUser(user)
                                .setPassword(password)
                                .addProperty("search_path", name)
                                .addProperty("application_name", name))
                .using(vertx.getDelegate())
                .build());
        // Kafka's folder may outlive the database, and with it what an earlier run sent.
        String run = name + "." + UUID.randomUUID();
        auditTopic = run + ".audit";
        telemetryTopic = run + ".telemetry";
        kafka = Map.of("bootstrap.servers", bootstrap, "reconnect.backoff.ms", 50, "reconnect.backoff.max.ms", 500);
    }

    /** What a JDBC driver takes as parameters, others would send to the server as settings. */
    private static String withoutParameters(String jdbcUrl) {
        int parameters = jdbcUrl.indexOf('?');
        return parameters < 0 ? jdbcUrl : jdbcUrl.substring(0, parameters);
    }

    PgOutbox outbox() {
        PgOutbox outbox =
                new PgOutbox(pool, new OutboxBudget(10_000, 1L << 24), Duration.ofMillis(500), Duration.ofSeconds(10));
        outbox.reconcile().await().atMost(LIMIT);
        outbox.start();
        return opened(outbox, outbox::close);
    }

    OutboxRelay relay(PgOutbox outbox) {
        return relay(outbox, Duration.ofMinutes(10));
    }

    /** A relay to whose broker the telemetry topic is a name that it refuses. */
    OutboxRelay relayWithoutTelemetry(PgOutbox outbox) {
        return relay(outbox, Duration.ofMinutes(10), "no topic has such a name");
    }

    OutboxRelay relay(PgOutbox outbox, Duration republishAfter) {
        return relay(outbox, republishAfter, telemetryTopic);
    }

    /** A relay that waits for the database for 100 ms. */
    OutboxRelay impatientRelay(PgOutbox outbox) {
        return relay(outbox, Duration.ofMinutes(10), telemetryTopic, Duration.ofMillis(100));
    }

    private OutboxRelay relay(PgOutbox outbox, Duration republishAfter, String telemetry) {
        return relay(outbox, republishAfter, telemetry, Duration.ofSeconds(10));
    }

    private OutboxRelay relay(PgOutbox outbox, Duration republishAfter, String telemetry, Duration queryTimeout) {
        OutboxRelay relay = new OutboxRelay(
                pool,
                outbox,
                new RelaySettings(
                        kafka,
                        auditTopic,
                        telemetry,
                        200,
                        Duration.ofMillis(50),
                        Duration.ofSeconds(4),
                        queryTimeout,
                        Duration.ofMillis(50),
                        Duration.ofMillis(500),
                        republishAfter,
                        Duration.ofSeconds(10)));
        relay.start();
        return opened(relay, relay::close);
    }

    AuditSink sink(PgOutbox outbox) {
        AuditSink sink = new AuditSink(pool, outbox, sinkSettings(auditTopic, group()));
        sink.start();
        return opened(sink, sink::close);
    }

    TelemetrySink telemetrySink(java.util.function.Consumer<io.aiel.plane.audit.UsageSummary> listener) {
        TelemetrySink sink = new TelemetrySink(pool, sinkSettings(telemetryTopic, telemetryTopic + "-group"), listener);
        sink.start();
        return opened(sink, sink::close);
    }

    String group() {
        return auditTopic + "-group";
    }

    private SinkSettings sinkSettings(String topic, String group) {
        Map<String, Object> client = new java.util.HashMap<>(kafka);
        client.put("metadata.max.age.ms", 500);
        return new SinkSettings(
                client,
                topic,
                group,
                200,
                Duration.ofSeconds(10),
                Duration.ofSeconds(10),
                Duration.ofMillis(50),
                Duration.ofMillis(500),
                Duration.ofSeconds(10));
    }

    long count(String sql) {
        return pool.query(sql).execute().await().atMost(LIMIT).iterator().next().getLong(0);
    }

    List<Row> rows(String sql) {
        List<Row> rows = new ArrayList<>();
        pool.query(sql).execute().await().atMost(LIMIT).forEach(rows::add);
        return rows;
    }

    void execute(String sql) {
        pool.query(sql).execute().await().atMost(LIMIT);
    }

    /** Waits until it holds, at most {@link #LIMIT}. */
    static void until(String what, BooleanSupplier holds) {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (!holds.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("not within " + LIMIT + ": " + what);
            }
            LockSupport.parkNanos(Duration.ofMillis(10).toNanos());
        }
    }

    private <T> T opened(T part, Runnable close) {
        open.add(close);
        return part;
    }

    @Override
    public void close() {
        for (Runnable part : open.reversed()) {
            part.run();
        }
        pool.close().await().atMost(LIMIT);
        vertx.close().await().atMost(LIMIT);
    }
}
