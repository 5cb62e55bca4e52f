package io.aiel.plane.audit;

import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import io.vertx.mutiny.sqlclient.SqlConnection;
import io.vertx.mutiny.sqlclient.Tuple;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * Publishes outbox rows to Kafka in their order; it never deletes any. A row that is still there some time after it was published
 * is marked; most are gone by then, as the sink has deleted them, and so most rows are never updated. What is published and
 * not yet marked when the relay ends is published again, which the sink does not mind. One is active per outbox: the one whose
 * connection holds the advisory lock. Runs on its own thread, which alone touches connection and producer; the seam where that
 * thread waits for the reactive client is {@link #await}. {@link #start()}, {@link #close()} and {@link #status()} from anywhere.
 */
public final class OutboxRelay implements AutoCloseable {
    private static final Logger LOG = Logger.getLogger(OutboxRelay.class);
    // Locks are the whole database's; an outbox is one schema's.
    private static final String TRY_LOCK = """
            SELECT pg_try_advisory_lock(hashtextextended('plane.audit.relay ' || current_schema(), 0)), pg_backend_pid()
            """;
    // As a subquery they are a hash table; as an array each row would be compared with each of them.
    private static final String UNPUBLISHED = """
            SELECT position, tenant, stream, type, hash, canonical FROM audit_outbox
            WHERE published_at IS NULL AND position NOT IN (SELECT unnest($2::bigint[])) ORDER BY position LIMIT $1
            """;
    private static final String OVERDUE = """
            SELECT position, tenant, stream, type, hash, canonical FROM audit_outbox
            WHERE published_at < now() - $2::bigint * interval '1 millisecond' ORDER BY position LIMIT $1
            """;
    // Rows which the sink is deleting just now are left to it: waiting for it, in another order than its own, could
    // deadlock. As an array: the planner may have last seen the table empty, takes it for one of a row, and would
    // compare
    // each with each in a join.
    static final String MARK = """
            UPDATE audit_outbox SET published_at = now() WHERE position = ANY (ARRAY(
                SELECT position FROM audit_outbox WHERE position = ANY($1) ORDER BY position FOR UPDATE SKIP LOCKED))
            """;

    // Rows that are published and not marked at most: each round compares each row with them.
    private static final int UNMARKED_MAX = 2_000;

    // Between rounds that found less than a batch: many small rounds cost database and broker more than a few larger
    // ones.
    private static final Duration GATHER = Duration.ofMillis(50);

    // All that a round sends goes in one request: otherwise the first record goes alone, and the rest by sixteen KiB.
    private static final int LINGER_MS = 5;
    private static final int PRODUCER_BATCH_BYTES = 256 * 1024;

    private final Pool pool;
    private final Wakeup wakeup;
    private final RelaySettings settings;
    private final PipelineThread thread;
    private final LongAdder published = new LongAdder();
    private volatile boolean active;
    private @Nullable SqlConnection connection;
    private @Nullable Producer<String, byte[]> producer;
    private int sessionPid;
    private long overdueCheckedAt = System.nanoTime();
    private final UnmarkedRows unmarked;

    /**
     * What the relay is doing.
     *
     * @param active it holds the lock
     * @param published records acknowledged by Kafka since the start
     * @param trouble why it does not get on, if so
     */
    public record Status(boolean active, long published, Optional<String> trouble) {}

    private record Pending(long position, String tenant, String stream, String type, String hash, String canonical) {}

    /**
     * What became of messages that were sent together.
     *
     * @param acknowledged positions of the rows whose messages Kafka has
     * @param failure one of the reasons why others are not acknowledged
     * @param producerFailed whether such a reason concerns more than the one message
     */
    private record Outcome(
            List<Long> acknowledged, @Nullable Throwable failure, boolean producerFailed) {}

    public OutboxRelay(Pool pool, PgOutbox outbox, RelaySettings settings) {
        this.pool = pool;
        this.wakeup = outbox.wakeup();
        this.settings = settings;
        this.unmarked = new UnmarkedRows(Math.max(0, UNMARKED_MAX - settings.batchRows()));
        this.thread = new PipelineThread(
                "audit-relay",
                this::step,
                wakeup::signal,
                this::release,
                new Backoff(settings.backoffMin(), settings.backoffMax()),
                settings.stopTimeout());
    }

    /** Begins; does not wait. */
    public void start() {
        thread.start();
    }

    /** Stops after the batch that is on its way, at most after the stop timeout. */
    @Override
    public void close() {
        thread.close();
    }

    public Status status() {
        return new Status(active, published.sum(), thread.trouble());
    }

    private void step() throws Exception {
        SqlConnection held = activeConnection();
        if (held == null) {
            wakeup.await(settings.pollInterval());
            return;
        }
        markOld(held);
        List<Pending> rows = rows(
                held,
                UNPUBLISHED,
                Tuple.of(settings.batchRows()).addArrayOfLong(unmarked.all().toArray(Long[]::new)));
        if (rows.isEmpty()) {
            rows = overdue(held);
        }
        if (rows.isEmpty()) {
            wakeup.await(settings.pollInterval());
            return;
        }
        publish(held, rows);
        if (rows.size() < settings.batchRows()) {
            LockSupport.parkNanos(GATHER.toNanos());
        }
    }

    /** The connection with the lock; null while another relay has it. */
    private @Nullable SqlConnection activeConnection() {
        if (connection != null) {
            return connection;
        }
        SqlConnection candidate = taken();
        boolean locked = false;
        try {
            Row row = await(candidate.query(TRY_LOCK).execute()).iterator().next();
            locked = row.getBoolean(0);
            sessionPid = row.getInteger(1);
        } finally {
            if (!locked) {
                await(candidate.close());
            }
        }
        if (locked) {
            connection = candidate;
            active = true;
        }
        return connection;
    }

    /** A connection of the pool. One that comes when it is not waited for any more goes back: the pool would miss it for ever. */
    private SqlConnection taken() {
        Uni<SqlConnection> coming = pool.getConnection().memoize().indefinitely();
        try {
            return await(coming);
        } catch (RuntimeException e) {
            coming.subscribe().with(SqlConnection::closeAndForget, _ -> {});
            throw e;
        }
    }

    private List<Pending> overdue(SqlConnection held) {
        // Rarely needed and never urgent: at most four times in that time.
        long interval = settings.republishAfter().toNanos() / 4;
        if (System.nanoTime() - overdueCheckedAt < interval) {
            return List.of();
        }
        overdueCheckedAt = System.nanoTime();
        List<Pending> rows = rows(
                held,
                OVERDUE,
                Tuple.of(settings.batchRows(), settings.republishAfter().toMillis()));
        if (!rows.isEmpty()) {
            LOG.warnf(
                    "%d audit records are published but not in the log after %s; published again",
                    rows.size(), settings.republishAfter());
        }
        return rows;
    }

    private List<Pending> rows(SqlConnection held, String sql, Tuple parameters) {
        RowSet<Row> found = await(held.preparedQuery(sql).execute(parameters));
        List<Pending> rows = new ArrayList<>(found.size());
        for (Row row : found) {
            rows.add(new Pending(
                    row.getLong(0),
                    row.getString(1),
                    row.getString(2),
                    row.getString(3),
                    row.getString(4),
                    row.getString(5)));
        }
        return rows;
    }

    /**
     * Usage first, and the records only when Kafka has it: the sink deletes an outbox row as soon as the log has its record, and
     * with the row would go all that the usage could be made of again.
     */
    private void publish(SqlConnection held, List<Pending> rows) throws InterruptedException {
        Producer<String, byte[]> to = producer();
        long deadline = System.nanoTime() + settings.publishTimeout().toNanos();
        List<Pending> finished = rows.stream()
                .filter(row -> row.type().equals(EventTypes.EXECUTION_FINISHED))
                .toList();
        Outcome usage = send(to, finished, this::usage, deadline);
        if (usage.failure() != null) {
            throw new PublishFailed(rows.size(), usage.failure());
        }
        Outcome records = send(to, rows, this::record, deadline);
        published.add(records.acknowledged().size());
        unmarked.add(records.acknowledged(), System.nanoTime());
        if (records.failure() != null) {
            // What follows forgets them, and one record that Kafka refuses for ever must not bring its neighbours again
            // and
            // again.
            mark(held, records.acknowledged());
            if (!records.producerFailed()) {
                // One that Kafka will not take must not hold up the others: they are marked, it is tried again after
                // the pause.
                LOG.errorf("Kafka takes no record of that size; raise max.message.bytes of %s", settings.auditTopic());
            }
            throw new PublishFailed(rows.size() - records.acknowledged().size(), records.failure());
        }
    }

    /** Sends one message for each row and waits for the acknowledgements until the deadline. */
    private static Outcome send(
            Producer<String, byte[]> to,
            List<Pending> rows,
            Function<Pending, ProducerRecord<String, byte[]>> message,
            long deadline)
            throws InterruptedException {
        List<Future<?>> sent = new ArrayList<>(rows.size());
        for (Pending row : rows) {
            Future<?> acknowledgement = to.send(message.apply(row));
            sent.add(acknowledgement);
            if (isRefusedForAll(acknowledgement)) {
                break;
            }
        }
        List<Long> acknowledged = new ArrayList<>(rows.size());
        Throwable failure = null;
        boolean producerFailed = false;
        for (int i = 0; i < sent.size(); i++) {
            try {
                sent.get(i).get(Math.max(0, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
                acknowledged.add(rows.get(i).position());
            } catch (ExecutionException e) {
                failure = e.getCause();
                producerFailed |= !(failure instanceof RecordTooLargeException);
            } catch (TimeoutException e) {
                failure = e;
                producerFailed = true;
            }
        }
        return new Outcome(acknowledged, failure, producerFailed);
    }

    /**
     * Without a broker each send waits its full time for metadata before it fails, so going on after the first would take hours.
     */
    private static boolean isRefusedForAll(Future<?> acknowledgement) {
        return acknowledgement.state() == Future.State.FAILED
                && !(acknowledgement.exceptionNow() instanceof RecordTooLargeException);
    }

    private void markOld(SqlConnection held) {
        List<Long> due = unmarked.due(System.nanoTime());
        mark(held, due);
        unmarked.remove(due);
    }

    private void mark(SqlConnection held, List<Long> positions) {
        if (!positions.isEmpty()) {
            await(held.preparedQuery(MARK).execute(Tuple.tuple().addArrayOfLong(positions.toArray(Long[]::new))));
        }
    }

    private ProducerRecord<String, byte[]> record(Pending row) {
        ProducerRecord<String, byte[]> record = new ProducerRecord<>(
                settings.auditTopic(), row.stream(), row.canonical().getBytes(StandardCharsets.UTF_8));
        header(record, "content-type", "application/cloudevents+json; charset=utf-8");
        header(record, "type", row.type());
        header(record, "tenant", row.tenant());
        header(record, "hash", row.hash());
        return record;
    }

    private ProducerRecord<String, byte[]> usage(Pending row) {
        ProducerRecord<String, byte[]> usage = new ProducerRecord<>(
                settings.telemetryTopic(),
                row.stream(),
                UsageSummary.ofFinished(row.canonical()).toJson().getBytes(StandardCharsets.UTF_8));
        header(usage, "content-type", "application/json");
        header(usage, "type", UsageSummary.TYPE);
        header(usage, "tenant", row.tenant());
        return usage;
    }

    private static void header(ProducerRecord<String, byte[]> record, String name, String value) {
        record.headers().add(name, value.getBytes(StandardCharsets.UTF_8));
    }

    private Producer<String, byte[]> producer() throws InterruptedException {
        if (producer == null) {
            int publishMs = Math.toIntExact(settings.publishTimeout().toMillis());
            Map<String, Object> properties = new HashMap<>(settings.kafka());
            properties.put(ProducerConfig.ACKS_CONFIG, "all");
            properties.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true);
            properties.put(ProducerConfig.LINGER_MS_CONFIG, LINGER_MS);
            properties.putIfAbsent(ProducerConfig.BATCH_SIZE_CONFIG, PRODUCER_BATCH_BYTES);
            properties.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, publishMs);
            properties.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, Math.max(1, publishMs / 2));
            properties.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, publishMs);
            properties.putIfAbsent(ProducerConfig.CLIENT_ID_CONFIG, "plane-audit-relay");
            ensureTopics(publishMs);
            producer = new KafkaProducer<>(properties, new StringSerializer(), new ByteArraySerializer());
        }
        return producer;
    }

    /** Makes the topics as the broker makes topics, when they are missing and we may; an operator may have made them already. */
    private void ensureTopics(int timeoutMs) throws InterruptedException {
        Map<String, Object> properties = new HashMap<>(settings.kafka());
        properties.put(AdminClientConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, timeoutMs);
        properties.put(AdminClientConfig.REQUEST_TIMEOUT_MS_CONFIG, Math.max(1, timeoutMs / 2));
        try (Admin admin = Admin.create(properties)) {
            var made = admin.createTopics(Stream.of(settings.auditTopic(), settings.telemetryTopic())
                    .map(topic -> new NewTopic(topic, Optional.empty(), Optional.empty()))
                    .toList());
            for (var topic : made.values().entrySet()) {
                awaitTopic(topic.getKey(), topic.getValue(), timeoutMs);
            }
        } catch (TimeoutException e) {
            LOG.debugf(e, "the topics could not be made in time");
        }
    }

    private static void awaitTopic(String name, Future<?> made, int timeoutMs)
            throws InterruptedException, TimeoutException {
        try {
            made.get(timeoutMs, TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            if (!(e.getCause() instanceof TopicExistsException)) {
                // Perhaps only not allowed; if it is really missing, publishing says so.
                LOG.debugf(e, "topic %s could not be made", name);
            }
        }
    }

    /** On the relay's own thread: lock, connection and producer are had anew after any failure. */
    private void release() {
        active = false;
        forgetUnmarked();
        Producer<String, byte[]> oldProducer = producer;
        producer = null;
        if (oldProducer != null) {
            // What was sent and not acknowledged is still unmarked, so nothing is lost by not waiting for it.
            oldProducer.close(Duration.ZERO);
        }
        SqlConnection oldConnection = connection;
        connection = null;
        if (oldConnection != null) {
            giveBack(oldConnection);
        }
    }

    /** At an orderly stop the successor is told; after a failure it publishes them once more. */
    private void forgetUnmarked() {
        SqlConnection held = connection;
        if (held != null && !thread.isRunning()) {
            List<Long> published = unmarked.all();
            try {
                mark(held, published);
            } catch (RuntimeException e) {
                LOG.debugf(e, "%d published records could not be marked and are published again", published.size());
            }
        }
        unmarked.clear();
    }

    private void giveBack(SqlConnection held) {
        try {
            // The pool would keep the connection, and the connection the lock.
            await(held.query("SELECT pg_advisory_unlock_all()").execute());
        } catch (RuntimeException e) {
            LOG.debugf(e, "the relay's lock could not be released, so its session is ended");
            await(pool.preparedQuery("SELECT pg_terminate_backend($1)").execute(Tuple.of(sessionPid)));
            awaitEnd(held);
        } finally {
            await(held.close());
        }
    }

    /** The pool would hand a connection on that has not heard of its end, and whoever gets it would hear of that instead of an answer. */
    private void awaitEnd(SqlConnection held) {
        try {
            await(held.query("SELECT 1").execute());
        } catch (RuntimeException e) {
            LOG.debugf(e, "the relay's session has ended");
        }
    }

    private <T> T await(Uni<T> uni) {
        return uni.await().atMost(settings.queryTimeout());
    }

    /** Some records of a batch were not acknowledged; they stay in the outbox. */
    static final class PublishFailed extends RuntimeException {
        private static final long serialVersionUID = 1L;

        PublishFailed(int records, Throwable cause) {
            super(records + " audit records were not acknowledged by Kafka", cause);
        }
    }
}
