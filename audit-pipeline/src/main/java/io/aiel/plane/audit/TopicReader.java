package io.aiel.plane.audit;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.jspecify.annotations.Nullable;

/**
 * Reads a topic in a consumer group, batch by batch, and commits offsets only after a batch was handled: what is not handled for
 * sure comes again. Its own thread alone touches the consumer, apart from {@code wakeup}.
 */
final class TopicReader implements AutoCloseable {
    private static final Duration POLL_TIMEOUT = Duration.ofMillis(500);

    private final SinkSettings settings;
    private final Handler handler;
    private final PipelineThread thread;
    private volatile @Nullable KafkaConsumer<byte[], byte[]> consumer;

    /** Handles a batch, or fails, and is then given the same messages again. Called on the reader's thread. */
    @FunctionalInterface
    interface Handler {
        void handle(ConsumerRecords<byte[], byte[]> batch) throws Exception;
    }

    TopicReader(String name, SinkSettings settings, Handler handler) {
        this.settings = settings;
        this.handler = handler;
        this.thread = new PipelineThread(
                name,
                this::step,
                this::wakeUp,
                this::release,
                new Backoff(settings.backoffMin(), settings.backoffMax()),
                settings.stopTimeout());
    }

    void start() {
        thread.start();
    }

    @Override
    public void close() {
        thread.close();
    }

    Optional<String> trouble() {
        return thread.trouble();
    }

    private void step() throws Exception {
        KafkaConsumer<byte[], byte[]> from = consumer();
        try {
            ConsumerRecords<byte[], byte[]> batch = from.poll(POLL_TIMEOUT);
            if (!batch.isEmpty()) {
                handler.handle(batch);
                from.commitSync(batch.nextOffsets(), settings.kafkaTimeout());
            }
        } catch (WakeupException e) {
            if (thread.isRunning()) {
                throw e;
            }
        }
    }

    private KafkaConsumer<byte[], byte[]> consumer() {
        KafkaConsumer<byte[], byte[]> current = consumer;
        if (current == null) {
            Map<String, Object> properties = new HashMap<>(settings.kafka());
            properties.put(ConsumerConfig.GROUP_ID_CONFIG, settings.group());
            properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
            properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
            properties.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, settings.batchRows());
            properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
            // A server that was killed blocks its successor for this long.
            properties.putIfAbsent(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG, 10_000);
            properties.putIfAbsent(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG, 3_000);
            // A topic that is made later must be seen soon.
            properties.putIfAbsent(ConsumerConfig.METADATA_MAX_AGE_CONFIG, 10_000);
            current = new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
            consumer = current;
            current.subscribe(List.of(settings.topic()));
        }
        return current;
    }

    private void wakeUp() {
        KafkaConsumer<byte[], byte[]> current = consumer;
        if (current != null) {
            current.wakeup();
        }
    }

    /** After a failure the consumer is had anew and so begins at the committed offsets: nothing is skipped. */
    private void release() {
        KafkaConsumer<byte[], byte[]> old = consumer;
        consumer = null;
        if (old != null) {
            old.close(org.apache.kafka.clients.consumer.CloseOptions.timeout(settings.kafkaTimeout()));
        }
    }
}
