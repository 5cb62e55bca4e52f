package io.aiel.plane.audit;

import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.jspecify.annotations.Nullable;

/**
 * Reads a topic in a consumer group, batch by batch, and commits offsets only of what was handled: what is not handled for sure
 * comes again. So does what was handled since the last commit when the server is killed, which handlers must not mind. Its own
 * thread alone touches the consumer, apart from {@code wakeup}.
 */
final class TopicReader implements AutoCloseable {
    private static final Duration POLL_TIMEOUT = Duration.ofMillis(500);

    // A commit is a replicated write of the broker's own; one for each of many small batches costs as much as the
    // batches.
    private static final Duration COMMIT_INTERVAL = Duration.ofSeconds(1);

    // The broker waits for this much or this long: without it a steady trickle is fetched record by record.
    private static final int FETCH_BYTES_MIN = 256 * 1024;

    private final SinkSettings settings;
    private final Duration gather;
    private final Handler handler;
    private final PipelineThread thread;
    private volatile @Nullable KafkaConsumer<byte[], byte[]> consumer;

    // Of the reader's own thread: how far it has handled, and not yet committed.
    private final Map<TopicPartition, OffsetAndMetadata> handled = new HashMap<>();
    private long committedAt = System.nanoTime();

    /** Handles a batch, or fails, and is then given the same messages again. Called on the reader's thread. */
    @FunctionalInterface
    interface Handler {
        void handle(ConsumerRecords<byte[], byte[]> batch) throws Exception;
    }

    /**
     * @param gather how long a message may wait at the broker for others, so that one batch is handled and not many
     */
    TopicReader(String name, SinkSettings settings, Duration gather, Handler handler) {
        this.settings = settings;
        this.gather = gather;
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
                handled.putAll(batch.nextOffsets());
            }
            if (!handled.isEmpty() && System.nanoTime() - committedAt > COMMIT_INTERVAL.toNanos()) {
                commit(from);
            }
        } catch (WakeupException e) {
            if (thread.isRunning()) {
                throw e;
            }
        }
    }

    private void commit(KafkaConsumer<byte[], byte[]> from) {
        from.commitSync(handled, settings.kafkaTimeout());
        handled.clear();
        committedAt = System.nanoTime();
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
            properties.putIfAbsent(ConsumerConfig.FETCH_MIN_BYTES_CONFIG, FETCH_BYTES_MIN);
            properties.putIfAbsent(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG, Math.toIntExact(gather.toMillis()));
            // A server that was killed blocks its successor for this long.
            properties.putIfAbsent(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG, 10_000);
            properties.putIfAbsent(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG, 3_000);
            // A topic that is made later must be seen soon.
            properties.putIfAbsent(ConsumerConfig.METADATA_MAX_AGE_CONFIG, 10_000);
            current = new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
            consumer = current;
            current.subscribe(List.of(settings.topic()), new CommitBeforeLeaving(current));
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
            // Closing gives the partitions back, and commits through that; after a failure nothing is committed, so
            // that
            // what failed and all that was handled beside it comes again.
            if (thread.isRunning()) {
                handled.clear();
            }
            old.close(org.apache.kafka.clients.consumer.CloseOptions.timeout(settings.kafkaTimeout()));
        }
    }

    /** Another member that takes over a partition begins where this one ended, not where it last committed. */
    private final class CommitBeforeLeaving implements ConsumerRebalanceListener {
        private final KafkaConsumer<byte[], byte[]> from;

        CommitBeforeLeaving(KafkaConsumer<byte[], byte[]> from) {
            this.from = from;
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            if (!handled.isEmpty()) {
                commit(from);
            }
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {
            handled.clear();
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            // They begin at the committed offsets.
        }
    }
}
