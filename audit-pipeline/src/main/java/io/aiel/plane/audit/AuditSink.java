package io.aiel.plane.audit;

import io.aiel.plane.vocabulary.Digest;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;

/**
 * Takes records from Kafka into the log, each exactly once by its stream and sequence, and deletes their outbox rows in the same
 * transaction; Kafka's offsets follow after. Another record for a taken place, a broken chain, a gap or an unreadable message is
 * an alarm that is kept, counted and shown, and stops nothing. Has its own thread; {@link #start()}, {@link #close()} and
 * {@link #status()} from anywhere.
 */
public final class AuditSink implements AutoCloseable {
    private static final Duration ALARM_CHECK_INTERVAL = Duration.ofSeconds(10);

    // What is asked for in the log is rarely a tenth of a second old.
    private static final Duration GATHER = Duration.ofMillis(100);

    private final PgAuditLog log;
    private final PgOutbox outbox;
    private final SinkSettings settings;
    private final TopicReader reader;
    private final LongAdder stored = new LongAdder();
    private final LongAdder alarmed = new LongAdder();
    private volatile long openAlarms;
    private long alarmsCheckedAt;

    /**
     * What the sink is doing.
     *
     * @param stored records stored since the start
     * @param alarms alarms raised since the start
     * @param openAlarms alarms in the table that are not resolved
     * @param trouble why it does not get on, if so
     */
    public record Status(long stored, long alarms, long openAlarms, Optional<String> trouble) {}

    public AuditSink(Pool pool, PgOutbox outbox, SinkSettings settings) {
        this.log = new PgAuditLog(pool);
        this.outbox = outbox;
        this.settings = settings;
        this.reader = new TopicReader("audit-sink", settings, GATHER, this::handle);
        this.alarmsCheckedAt = System.nanoTime() - ALARM_CHECK_INTERVAL.toNanos();
    }

    /** Begins; does not wait. */
    public void start() {
        reader.start();
    }

    /** Stops after the batch at hand, at most after the stop timeout. */
    @Override
    public void close() {
        reader.close();
    }

    public Status status() {
        return new Status(stored.sum(), alarmed.sum(), openAlarms, reader.trouble());
    }

    private void handle(ConsumerRecords<byte[], byte[]> batch) {
        List<LogEntry> entries = new ArrayList<>(batch.count());
        List<Alarm> unreadable = new ArrayList<>();
        for (ConsumerRecord<byte[], byte[]> message : batch) {
            byte[] value = message.value() == null ? new byte[0] : message.value();
            try {
                entries.add(LogEntry.parse(value));
            } catch (IllegalArgumentException e) {
                unreadable.add(new Alarm(
                        Alarm.Kind.UNREADABLE,
                        message.topic() + "/" + message.partition(),
                        message.offset(),
                        "",
                        Digest.of(value).value(),
                        String.valueOf(e.getMessage())));
            }
        }
        PgAuditLog.Stored done = await(log.store(entries, unreadable));
        stored.add(done.stored());
        alarmed.add(done.alarms().size());
        outbox.removed(done.outboxRows(), done.outboxBytes());
        checkAlarms(!done.alarms().isEmpty());
    }

    private void checkAlarms(boolean now) {
        if (now || openAlarms > 0 || System.nanoTime() - alarmsCheckedAt > ALARM_CHECK_INTERVAL.toNanos()) {
            alarmsCheckedAt = System.nanoTime();
            openAlarms = await(log.openAlarms());
        }
    }

    /** The seam: the sink's own thread waits for the reactive client. */
    private <T> T await(Uni<T> uni) {
        return uni.await().atMost(settings.queryTimeout());
    }
}
