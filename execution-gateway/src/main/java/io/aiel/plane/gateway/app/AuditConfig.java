package io.aiel.plane.gateway.app;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;
import java.util.Optional;

/** How records wait, travel and are kept. Where Kafka is, is said by {@code kafka.bootstrap.servers} and its fellows. */
@ConfigMapping(prefix = "plane.audit")
public interface AuditConfig {
    /** The topic that carries audit records. */
    @WithDefault("plane.audit.v1")
    String topic();

    /** The topic that carries usage summaries. */
    @WithDefault("plane.telemetry.v1")
    String telemetryTopic();

    /** How long the database may take for one statement or batch of the pipeline. */
    @WithDefault("5s")
    Duration queryTimeout();

    /** How long a stop may take, for each of relay and sinks. */
    @WithDefault("5s")
    Duration stopTimeout();

    /** The first pause after a failure of Kafka or the database. */
    @WithDefault("200ms")
    Duration backoffMin();

    /** The longest pause after failures of Kafka or the database. */
    @WithDefault("5s")
    Duration backoffMax();

    /** The backlog. */
    OutboxPart outbox();

    /** The way from the outbox to Kafka. */
    RelayPart relay();

    /** The way from Kafka into the log. */
    SinkPart sink();

    /** The backlog. */
    interface OutboxPart {
        /** Records that may wait; new work is refused when the backlog comes near. */
        @WithDefault("1000000")
        long rowsMax();

        /** Bytes of canonical text that may wait. */
        @WithDefault("2147483648")
        long bytesMax();

        /** How often the counter of the backlog is compared with the table. */
        @WithDefault("5s")
        Duration reconcileInterval();
    }

    /** The way from the outbox to Kafka. */
    interface RelayPart {
        /** Whether this server offers itself as relay; one of all is active. */
        @WithDefault("true")
        boolean enabled();

        /** Records published at once at most. */
        @WithDefault("1000")
        int batchRows();

        /** How often it looks for records without being woken. */
        @WithDefault("100ms")
        Duration pollInterval();

        /** How long Kafka may take to acknowledge a batch. */
        @WithDefault("10s")
        Duration publishTimeout();

        /** A published record that is not in the log after this long is published again. */
        @WithDefault("10M")
        Duration republishAfter();
    }

    /** The way from Kafka into the log. */
    interface SinkPart {
        /** Whether this server takes records from Kafka into the log. */
        @WithDefault("true")
        boolean enabled();

        /** The consumer group of the log. */
        @WithDefault("plane-audit-sink")
        String group();

        /** The consumer group of the usage counters. */
        @WithDefault("plane-telemetry-sink")
        String telemetryGroup();

        /**
         * Kafka's static member id of this server; with it a killed server's successor takes over at once instead of after the
         * session timeout. Must be unique among the servers that share the groups.
         */
        Optional<String> instanceId();

        /** Messages taken at once at most. */
        @WithDefault("1000")
        int batchRows();

        /** How long Kafka may take to keep an offset. */
        @WithDefault("10s")
        Duration commitTimeout();
    }
}
