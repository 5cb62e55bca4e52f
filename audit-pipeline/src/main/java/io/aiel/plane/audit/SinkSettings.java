package io.aiel.plane.audit;

import java.time.Duration;
import java.util.Map;

/**
 * How a sink works.
 *
 * @param kafka properties of the Kafka client, {@code bootstrap.servers} at least
 * @param topic what it reads
 * @param group the consumer group
 * @param batchRows messages taken at once at most
 * @param queryTimeout how long the database may take for a batch
 * @param kafkaTimeout how long Kafka may take to keep an offset
 * @param backoffMin the first pause after a failure
 * @param backoffMax the longest pause after failures
 * @param stopTimeout how long a stop may take
 */
public record SinkSettings(
        Map<String, Object> kafka,
        String topic,
        String group,
        int batchRows,
        Duration queryTimeout,
        Duration kafkaTimeout,
        Duration backoffMin,
        Duration backoffMax,
        Duration stopTimeout) {
    public SinkSettings {
        kafka = Map.copyOf(kafka);
    }
}
