package io.aiel.plane.audit;

import java.time.Duration;
import java.util.Map;

/**
 * How the relay works.
 *
 * @param kafka properties of the Kafka client, {@code bootstrap.servers} at least
 * @param auditTopic where records go
 * @param telemetryTopic where usage summaries go
 * @param batchRows records published at once at most
 * @param pollInterval how often it looks without being woken, and how often it tries to become the active one
 * @param publishTimeout how long Kafka may take to acknowledge a batch
 * @param queryTimeout how long the database may take
 * @param backoffMin the first pause after a failure
 * @param backoffMax the longest pause after failures
 * @param republishAfter when a published record is not in the log after this long, it is published again
 * @param stopTimeout how long a stop may take
 */
public record RelaySettings(
        Map<String, Object> kafka,
        String auditTopic,
        String telemetryTopic,
        int batchRows,
        Duration pollInterval,
        Duration publishTimeout,
        Duration queryTimeout,
        Duration backoffMin,
        Duration backoffMax,
        Duration republishAfter,
        Duration stopTimeout) {
    public RelaySettings {
        kafka = Map.copyOf(kafka);
    }
}
