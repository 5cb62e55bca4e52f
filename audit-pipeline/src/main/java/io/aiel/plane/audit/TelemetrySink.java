package io.aiel.plane.audit;

import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.Tuple;
import io.vertx.sqlclient.DatabaseException;
import java.time.Duration;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.jboss.logging.Logger;

/**
 * Adds usage summaries from Kafka up by day, each execution once however often its message comes. Has its own thread; {@link
 * #start()}, {@link #close()} and {@link #status()} from anywhere.
 */
public final class TelemetrySink implements AutoCloseable {
    private static final Logger LOG = Logger.getLogger(TelemetrySink.class);
    private static final String ADD = """
            WITH fresh AS (
                INSERT INTO usage_executions (execution, day)
                SELECT DISTINCT ON (r.execution) r.execution, r.day
                FROM unnest($1::text[], $2::date[]) AS r (execution, day)
                ON CONFLICT (execution) DO NOTHING RETURNING execution),
            counted AS (
                SELECT DISTINCT ON (r.execution) r.* FROM unnest($1::text[], $2::date[], $3::text[], $4::text[], $5::text[],
                    $6::text[], $7::bigint[], $8::bigint[], $9::bigint[])
                    AS r (execution, day, tenant, workspace, project, status, cpu_ms, wall_ms, max_rss_bytes)
                JOIN fresh USING (execution)),
            added AS (
                INSERT INTO usage_daily AS u (day, tenant, workspace, project, status, executions, cpu_ms, wall_ms, max_rss_bytes)
                SELECT day, tenant, workspace, project, status, count(*), sum(cpu_ms), sum(wall_ms), max(max_rss_bytes)
                FROM counted GROUP BY day, tenant, workspace, project, status
                ORDER BY day, tenant, workspace, project, status
                ON CONFLICT (day, tenant, workspace, project, status) DO UPDATE SET
                    executions = u.executions + excluded.executions,
                    cpu_ms = u.cpu_ms + excluded.cpu_ms,
                    wall_ms = u.wall_ms + excluded.wall_ms,
                    max_rss_bytes = greatest(u.max_rss_bytes, excluded.max_rss_bytes))
            SELECT execution FROM fresh
            """;
    // A summary that comes later than this counts twice; a record is published again for days at most. In parts, as a
    // busy day is more
    // than a statement may take time for.
    private static final String FORGET = """
            DELETE FROM usage_executions WHERE execution IN
                (SELECT execution FROM usage_executions WHERE day < current_date - 30 ORDER BY day LIMIT $1)
            """;
    private static final int FORGOTTEN_AT_ONCE = 10_000;

    // Nobody waits for a day's sums, and a message is small: in a shorter time not many come.
    private static final Duration GATHER = Duration.ofMillis(250);

    private final Pool pool;
    private final SinkSettings settings;
    private final Consumer<UsageSummary> listener;
    private final TopicReader reader;
    private final LongAdder counted = new LongAdder();
    private final LongAdder unreadable = new LongAdder();
    private LocalDate forgottenOn = LocalDate.EPOCH;

    /**
     * What the sink is doing.
     *
     * @param counted executions added since the start
     * @param unreadable messages since the start that are no usage summary, or that PostgreSQL refuses
     * @param trouble why it does not get on, if so
     */
    public record Status(long counted, long unreadable, Optional<String> trouble) {}

    /**
     * @param listener told of each summary once it is counted, on the sink's thread; must not block or fail
     */
    public TelemetrySink(Pool pool, SinkSettings settings, Consumer<UsageSummary> listener) {
        this.pool = pool;
        this.settings = settings;
        this.listener = listener;
        this.reader = new TopicReader("telemetry-sink", settings, GATHER, this::handle);
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
        return new Status(counted.sum(), unreadable.sum(), reader.trouble());
    }

    private void handle(ConsumerRecords<byte[], byte[]> batch) {
        List<UsageSummary> summaries = new ArrayList<>(batch.count());
        for (ConsumerRecord<byte[], byte[]> message : batch) {
            try {
                summaries.add(UsageSummary.parse(message.value() == null ? new byte[0] : message.value()));
            } catch (IllegalArgumentException e) {
                unreadable.increment();
                LOG.warnf("%s/%d %d: %s", message.topic(), message.partition(), message.offset(), e.getMessage());
            }
        }
        addAll(summaries);
        forgetOnceADay();
    }

    /** Adds all in one statement; when PostgreSQL refuses one for what is in it, by halves, until that one is alone. */
    private void addAll(List<UsageSummary> summaries) {
        if (summaries.isEmpty()) {
            return;
        }
        try {
            add(summaries);
        } catch (DatabaseException e) {
            if (!DataErrors.is(e)) {
                throw e;
            }
            addParts(summaries, e);
        }
    }

    private void addParts(List<UsageSummary> summaries, DatabaseException refused) {
        if (summaries.size() == 1) {
            unreadable.increment();
            LOG.warnf("a usage summary is passed over: PostgreSQL refuses it with SQLSTATE %s", refused.getSqlState());
        } else {
            int half = summaries.size() / 2;
            addAll(summaries.subList(0, half));
            addAll(summaries.subList(half, summaries.size()));
        }
    }

    private void add(List<UsageSummary> summaries) {
        Map<String, UsageSummary> byExecution = new HashMap<>();
        summaries.forEach(summary -> byExecution.putIfAbsent(summary.execution(), summary));
        Tuple columns = Tuple.tuple();
        columns.addArrayOfString(summaries.stream().map(UsageSummary::execution).toArray(String[]::new));
        columns.addArrayOfLocalDate(summaries.stream()
                .map(summary -> LocalDate.ofInstant(summary.time(), ZoneOffset.UTC))
                .toArray(LocalDate[]::new));
        columns.addArrayOfString(summaries.stream().map(UsageSummary::tenant).toArray(String[]::new));
        columns.addArrayOfString(summaries.stream().map(UsageSummary::workspace).toArray(String[]::new));
        columns.addArrayOfString(summaries.stream().map(UsageSummary::project).toArray(String[]::new));
        columns.addArrayOfString(summaries.stream().map(UsageSummary::status).toArray(String[]::new));
        columns.addArrayOfLong(
                summaries.stream().map(summary -> summary.usage().cpuMs()).toArray(Long[]::new));
        columns.addArrayOfLong(
                summaries.stream().map(summary -> summary.usage().wallMs()).toArray(Long[]::new));
        columns.addArrayOfLong(
                summaries.stream().map(summary -> summary.usage().maxRssBytes()).toArray(Long[]::new));
        var fresh = pool.preparedQuery(ADD).execute(columns).await().atMost(settings.queryTimeout());
        for (Row row : fresh) {
            UsageSummary summary = byExecution.get(row.getString(0));
            if (summary != null) {
                counted.increment();
                listener.accept(summary);
            }
        }
    }

    private void forgetOnceADay() {
        LocalDate today = LocalDate.now(ZoneOffset.UTC);
        if (!today.equals(forgottenOn)) {
            int forgotten = pool.preparedQuery(FORGET)
                    .execute(Tuple.of((long) FORGOTTEN_AT_ONCE))
                    .await()
                    .atMost(settings.queryTimeout())
                    .rowCount();
            if (forgotten < FORGOTTEN_AT_ONCE) {
                forgottenOn = today;
            }
        }
    }
}
