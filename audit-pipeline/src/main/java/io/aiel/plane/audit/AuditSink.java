package io.aiel.plane.audit;

import io.aiel.plane.vocabulary.Digest;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.sqlclient.DatabaseException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;

/**
 * Takes records from Kafka into the log, each exactly once by its stream and sequence, and deletes their outbox rows in the same
 * transaction; Kafka's offsets follow after. Another record for a taken place, a broken chain, a gap or a message that is set aside,
 * because it is no record or PostgreSQL refuses it, is an alarm that is kept, counted and shown, and stops nothing. A record of ours
 * that was set aside leaves its row in the outbox and a gap in its stream. Looks, for all streams in turn, whether the log still has
 * what their writers say that they end with; another alarm. Has threads of its own; {@link #start()}, {@link #close()} and {@link
 * #status()} from anywhere.
 */
public final class AuditSink implements AutoCloseable {
    private static final Duration ALARM_CHECK_INTERVAL = Duration.ofSeconds(10);

    /** A gap may close with the next batch; others stay until somebody has looked at them. */
    private static final Duration OPEN_ALARM_CHECK_INTERVAL = Duration.ofSeconds(1);

    // What is asked for in the log is rarely a tenth of a second old.
    private static final Duration GATHER = Duration.ofMillis(100);

    // All streams in turn, again and again: of each kind nine million a day, a small part of what the database can do.
    private static final Duration ENDS_INTERVAL = Duration.ofSeconds(10);
    private static final Duration ENDS_WAIT = Duration.ofMillis(500);

    private final PgAuditLog log;
    private final PgOutbox outbox;
    private final SinkSettings settings;
    private final TopicReader reader;
    private final PipelineThread ends;
    private final Wakeup endsWakeup = new Wakeup();
    private final LongAdder stored = new LongAdder();
    private final LongAdder alarmed = new LongAdder();
    private final LongAdder setAside = new LongAdder();
    private volatile long openAlarms;
    private long alarmsCheckedAt;
    private long endsCheckedAt = System.nanoTime() - ENDS_INTERVAL.toNanos();
    private PgAuditLog.EndsChecked endsChecked = PgAuditLog.EndsChecked.NOTHING;

    /**
     * What the sink is doing.
     *
     * @param stored records stored since the start
     * @param alarms alarms raised since the start
     * @param setAside messages since the start that are no record, or that PostgreSQL refuses; each is an alarm too
     * @param openAlarms alarms in the table that are not resolved
     * @param trouble why it does not get on, if so
     */
    public record Status(long stored, long alarms, long setAside, long openAlarms, Optional<String> trouble) {}

    private record Received(ConsumerRecord<byte[], byte[]> message, LogEntry entry) {}

    public AuditSink(Pool pool, PgOutbox outbox, SinkSettings settings) {
        this.log = new PgAuditLog(pool);
        this.outbox = outbox;
        this.settings = settings;
        this.reader = new TopicReader("audit-sink", settings, GATHER, this::handle);
        this.ends = new PipelineThread(
                "audit-ends",
                this::checkEnds,
                endsWakeup::signal,
                () -> {},
                new Backoff(settings.backoffMin(), settings.backoffMax()),
                settings.stopTimeout());
        this.alarmsCheckedAt = System.nanoTime() - ALARM_CHECK_INTERVAL.toNanos();
    }

    /** Begins; does not wait. */
    public void start() {
        reader.start();
        ends.start();
    }

    /** Stops after the batch at hand, at most after the stop timeout. */
    @Override
    public void close() {
        reader.close();
        ends.close();
    }

    public Status status() {
        return new Status(
                stored.sum(),
                alarmed.sum(),
                setAside.sum(),
                openAlarms,
                reader.trouble().or(ends::trouble));
    }

    private void handle(ConsumerRecords<byte[], byte[]> batch) {
        List<Received> records = new ArrayList<>(batch.count());
        List<Alarm> unreadable = new ArrayList<>();
        for (ConsumerRecord<byte[], byte[]> message : batch) {
            try {
                records.add(new Received(message, LogEntry.parse(bytes(message))));
            } catch (IllegalArgumentException e) {
                unreadable.add(unreadable(message, String.valueOf(e.getMessage())));
            }
        }
        store(records, unreadable);
    }

    /** Stores all in one transaction; when PostgreSQL refuses one for what is in it, by halves, until that one is alone. */
    private void store(List<Received> records, List<Alarm> unreadable) {
        try {
            noted(await(log.store(records.stream().map(Received::entry).toList(), unreadable)), unreadable.size());
        } catch (DatabaseException e) {
            if (records.isEmpty() || !DataErrors.is(e)) {
                throw e; // not for what is in a record: nothing is skipped
            }
            storeParts(records, unreadable, String.valueOf(e.getSqlState()));
        }
    }

    private void storeParts(List<Received> records, List<Alarm> unreadable, String sqlState) {
        if (records.size() == 1) {
            List<Alarm> all = new ArrayList<>(unreadable);
            all.add(unreadable(records.getFirst().message(), "PostgreSQL refuses it with SQLSTATE " + sqlState));
            noted(await(log.store(List.of(), all)), all.size());
        } else {
            int half = records.size() / 2;
            store(records.subList(0, half), unreadable);
            store(records.subList(half, records.size()), List.of());
        }
    }

    private void noted(PgAuditLog.Stored done, int aside) {
        stored.add(done.stored());
        alarmed.add(done.alarms().size());
        setAside.add(aside);
        outbox.removed(done.outboxRows(), done.outboxBytes());
        checkAlarms(!done.alarms().isEmpty());
    }

    private static Alarm unreadable(ConsumerRecord<byte[], byte[]> message, String detail) {
        return new Alarm(
                Alarm.Kind.UNREADABLE,
                message.topic() + "/" + message.partition(),
                message.offset(),
                "",
                Digest.of(bytes(message)).value(),
                detail);
    }

    private static byte[] bytes(ConsumerRecord<byte[], byte[]> message) {
        return message.value() == null ? new byte[0] : message.value();
    }

    /** On a thread of its own, which a slow answer keeps from nothing else: are the ends of streams still in the log? */
    private void checkEnds() throws InterruptedException {
        if (System.nanoTime() - endsCheckedAt >= ENDS_INTERVAL.toNanos()) {
            PgAuditLog.Ends found = await(log.checkEnds(endsChecked));
            endsChecked = found.upTo();
            endsCheckedAt = System.nanoTime();
            alarmed.add(found.alarms().size());
            openAlarms = await(log.openAlarms());
        }
        endsWakeup.await(ENDS_WAIT);
    }

    private void checkAlarms(boolean now) {
        Duration interval = openAlarms > 0 ? OPEN_ALARM_CHECK_INTERVAL : ALARM_CHECK_INTERVAL;
        if (now || System.nanoTime() - alarmsCheckedAt > interval.toNanos()) {
            alarmsCheckedAt = System.nanoTime();
            openAlarms = await(log.openAlarms());
        }
    }

    /** The seam: the sink's own thread waits for the reactive client. */
    private <T> T await(Uni<T> uni) {
        return uni.await().atMost(settings.queryTimeout());
    }
}
