package io.aiel.plane.gateway.app;

import io.aiel.plane.audit.AuditCodec;
import io.aiel.plane.audit.AuditSink;
import io.aiel.plane.audit.AuditTrail;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.audit.OutboxBudget;
import io.aiel.plane.audit.OutboxRelay;
import io.aiel.plane.audit.PgOutbox;
import io.aiel.plane.audit.RelaySettings;
import io.aiel.plane.audit.SinkSettings;
import io.aiel.plane.audit.TelemetrySink;
import io.aiel.plane.audit.UsageSummary;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.Startup;
import io.smallrye.common.annotation.Identifier;
import io.vertx.mutiny.sqlclient.Pool;
import jakarta.annotation.Priority;
import jakarta.enterprise.event.Observes;
import jakarta.enterprise.inject.Disposes;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import java.time.Clock;
import java.util.HashMap;
import java.util.Map;

/** Makes the audit pipeline, starts it with the server and stops it with it. */
class AuditAssembly {
    private static final int LAST = 10_000;

    @Produces
    @Singleton
    AuditCodec codec(Clock clock) {
        return new AuditCodec(clock);
    }

    @Produces
    @Singleton
    @Startup
    PgOutbox outbox(Pool pool, AuditConfig config, MeterRegistry metrics) {
        var outbox = new PgOutbox(
                pool,
                new OutboxBudget(config.outbox().rowsMax(), config.outbox().bytesMax()),
                config.outbox().reconcileInterval(),
                config.queryTimeout());
        Gauge.builder("plane.audit.outbox.fill", outbox, PgOutbox::fill)
                .description("The audit backlog as a share of its budget")
                .register(metrics);
        outbox.start();
        return outbox;
    }

    void close(@Disposes PgOutbox outbox) {
        outbox.close();
    }

    @Produces
    @Singleton
    ControlAudit controlAudit(AuditCodec codec, PgOutbox outbox) {
        return new ControlAudit(codec, outbox);
    }

    @Produces
    @Singleton
    AuditTrail trail(Pool pool, AuditConfig config) {
        return new AuditTrail(pool, config.queryTimeout());
    }

    @Produces
    @Singleton
    @Startup
    OutboxRelay relay(
            Pool pool,
            PgOutbox outbox,
            AuditConfig config,
            @Identifier("default-kafka-broker") Map<String, Object> kafka,
            MeterRegistry metrics) {
        var relay = new OutboxRelay(
                pool,
                outbox,
                new RelaySettings(
                        client(kafka),
                        config.topic(),
                        config.telemetryTopic(),
                        config.relay().batchRows(),
                        config.relay().pollInterval(),
                        config.relay().publishTimeout(),
                        config.queryTimeout(),
                        config.backoffMin(),
                        config.backoffMax(),
                        config.relay().republishAfter(),
                        config.stopTimeout()));
        FunctionCounter.builder("plane.audit.published", relay, r -> r.status().published())
                .description("Audit records acknowledged by Kafka")
                .register(metrics);
        if (config.relay().enabled()) {
            relay.start();
        }
        return relay;
    }

    void close(@Disposes OutboxRelay relay) {
        relay.close();
    }

    @Produces
    @Singleton
    @Startup
    AuditSink sink(
            Pool pool,
            PgOutbox outbox,
            AuditConfig config,
            @Identifier("default-kafka-broker") Map<String, Object> kafka,
            MeterRegistry metrics) {
        var sink = new AuditSink(
                pool,
                outbox,
                settings(config, kafka, config.topic(), config.sink().group()));
        FunctionCounter.builder("plane.audit.stored", sink, s -> s.status().stored())
                .description("Audit records stored in the log")
                .register(metrics);
        FunctionCounter.builder(
                        "plane.audit.integrity.alarms", sink, s -> s.status().alarms())
                .description("Things that must never happen to the log and did")
                .register(metrics);
        FunctionCounter.builder("plane.audit.set.aside", sink, s -> s.status().setAside())
                .description("Messages of the audit topic that are no record, or that PostgreSQL refuses")
                .register(metrics);
        Gauge.builder("plane.audit.integrity.alarms.open", sink, s -> s.status().openAlarms())
                .description("Integrity alarms that nobody has resolved")
                .register(metrics);
        if (config.sink().enabled()) {
            sink.start();
        }
        return sink;
    }

    void close(@Disposes AuditSink sink) {
        sink.close();
    }

    @Produces
    @Singleton
    @Startup
    TelemetrySink telemetrySink(
            Pool pool,
            AuditConfig config,
            @Identifier("default-kafka-broker") Map<String, Object> kafka,
            MeterRegistry metrics) {
        var sink = new TelemetrySink(
                pool,
                settings(config, kafka, config.telemetryTopic(), config.sink().telemetryGroup()),
                summary -> count(metrics, summary));
        if (config.sink().enabled()) {
            sink.start();
        }
        return sink;
    }

    void close(@Disposes TelemetrySink sink) {
        sink.close();
    }

    /**
     * Stops the pipeline while the database is still there. Last of all observers, so that what others record while they stop
     * still gets as far as it can; what does not is in the outbox.
     */
    void stop(
            @Observes @Priority(LAST) ShutdownEvent event,
            OutboxRelay relay,
            AuditSink sink,
            TelemetrySink telemetry,
            PgOutbox outbox) {
        relay.close();
        sink.close();
        telemetry.close();
        outbox.close();
    }

    private static SinkSettings settings(AuditConfig config, Map<String, Object> kafka, String topic, String group) {
        Map<String, Object> client = client(kafka);
        config.sink().instanceId().ifPresent(id -> client.put("group.instance.id", id + "-" + group));
        return new SinkSettings(
                client,
                topic,
                group,
                config.sink().batchRows(),
                config.queryTimeout(),
                config.sink().commitTimeout(),
                config.backoffMin(),
                config.backoffMax(),
                config.stopTimeout());
    }

    private static Map<String, Object> client(Map<String, Object> kafka) {
        Map<String, Object> client = new HashMap<>(kafka);
        client.putIfAbsent("bootstrap.servers", "localhost:9092");
        // Without this a broker that is away is asked again at once, thousands of times a minute.
        client.putIfAbsent("reconnect.backoff.ms", 100);
        client.putIfAbsent("reconnect.backoff.max.ms", 2_000);
        return client;
    }

    // Few values of status, so few series.
    private static void count(MeterRegistry metrics, UsageSummary summary) {
        metrics.counter("plane.usage.executions", "status", summary.status()).increment();
        metrics.counter("plane.usage.cpu.ms", "status", summary.status())
                .increment((double) summary.usage().cpuMs());
        metrics.counter("plane.usage.wall.ms", "status", summary.status())
                .increment((double) summary.usage().wallMs());
    }
}
