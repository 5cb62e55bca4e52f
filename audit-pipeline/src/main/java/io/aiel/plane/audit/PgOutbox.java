package io.aiel.plane.audit;

import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.infrastructure.Infrastructure;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.SqlConnection;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.StringJoiner;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * The outbox as a table. Thread-safe. {@link #fill()} is a counter that is compared with the table at start and every reconcile
 * interval, as other servers and rolled back transactions change the table too; until the first comparison succeeded it says
 * full, so that nothing is admitted against an unknown backlog. What is written but not committed while the table is counted is
 * missed until the next comparison: a few batches, against a budget of many thousands.
 */
public final class PgOutbox implements Outbox, AutoCloseable {
    private static final Logger LOG = Logger.getLogger(PgOutbox.class);
    private static final String COUNT = "SELECT count(*), coalesce(sum(bytes), 0)::bigint FROM audit_outbox";

    private final Pool pool;
    private final OutboxBudget budget;
    private final Duration reconcileInterval;
    private final Duration queryTimeout;
    private final AtomicLong rowsAdded = new AtomicLong();
    private final AtomicLong bytesAdded = new AtomicLong();
    private final Wakeup wakeup = new Wakeup();
    private volatile @Nullable Level level;
    private @Nullable ScheduledFuture<?> reconciling;

    /** What the table held when it was counted, less what had been added by then. */
    private record Level(long rows, long bytes) {}

    public PgOutbox(Pool pool, OutboxBudget budget, Duration reconcileInterval, Duration queryTimeout) {
        this.pool = pool;
        this.budget = budget;
        this.reconcileInterval = reconcileInterval;
        this.queryTimeout = queryTimeout;
    }

    /** Counts the table now and then regularly. Does not wait. */
    public synchronized void start() {
        if (reconciling == null) {
            reconciling = Infrastructure.getDefaultWorkerPool()
                    .scheduleWithFixedDelay(
                            this::reconcileInBackground, 0, reconcileInterval.toMillis(), TimeUnit.MILLISECONDS);
        }
    }

    @Override
    public synchronized void close() {
        if (reconciling != null) {
            reconciling.cancel(false);
            reconciling = null;
        }
    }

    @Override
    public Uni<Void> append(SqlConnection transaction, List<AuditRecord> records) {
        if (records.isEmpty()) {
            return Uni.createFrom().voidItem();
        }
        Insert insert = insert(records, Collections.nCopies(records.size(), null), "true", 1);
        return transaction
                .preparedQuery(insert.sql())
                .execute(Tuple.from(insert.parameters()))
                .invoke(() -> added(records))
                .replaceWithVoid();
    }

    @Override
    public Insert insert(
            List<AuditRecord> records, List<@Nullable Integer> parts, String condition, int firstParameter) {
        int size = records.size();
        String[] ids = new String[size];
        String[] tenants = new String[size];
        String[] streams = new String[size];
        Long[] sequences = new Long[size];
        String[] types = new String[size];
        String[] hashes = new String[size];
        String[] canonicals = new String[size];
        Integer[] lengths = new Integer[size];
        for (int i = 0; i < size; i++) {
            AuditRecord record = records.get(i);
            ids[i] = record.id().value();
            tenants[i] = record.tenant().value();
            streams[i] = record.stream();
            sequences[i] = record.sequence();
            types[i] = record.type();
            hashes[i] = record.hash().value();
            canonicals[i] = record.canonical();
            lengths[i] = bytesOf(record);
        }
        List<Object> parameters = List.of(
                ids, tenants, streams, sequences, types, hashes, canonicals, lengths, parts.toArray(Integer[]::new));
        int number = firstParameter;
        StringJoiner arrays = new StringJoiner(", ");
        for (String type : List.of("text", "text", "text", "bigint", "text", "text", "text", "integer", "integer")) {
            arrays.add("$" + number++ + "::" + type + "[]");
        }
        String sql = """
                INSERT INTO audit_outbox (id, tenant, stream, sequence, type, hash, canonical, bytes)
                SELECT r.id, r.tenant, r.stream, r.sequence, r.type, r.hash, r.canonical, r.bytes
                FROM unnest(%s)
                     WITH ORDINALITY AS r (id, tenant, stream, sequence, type, hash, canonical, bytes, part, place)
                WHERE %s
                ORDER BY r.place
                """.formatted(arrays, condition);
        return new Insert(sql, parameters);
    }

    @Override
    public void committed(List<AuditRecord> records) {
        if (!records.isEmpty()) {
            added(records);
            committed();
        }
    }

    @Override
    public void committed() {
        wakeup.signal();
    }

    @Override
    public double fill() {
        Level counted = level;
        if (counted == null) {
            return 1;
        }
        long rows = Math.max(0, counted.rows() + rowsAdded.get());
        long bytes = Math.max(0, counted.bytes() + bytesAdded.get());
        return Math.min(1, Math.max((double) rows / budget.rowsMax(), (double) bytes / budget.bytesMax()));
    }

    /** Compares the counter with the table. */
    public Uni<Void> reconcile() {
        return Uni.createFrom().deferred(() -> {
            long rowsBefore = rowsAdded.get();
            long bytesBefore = bytesAdded.get();
            return pool.query(COUNT)
                    .execute()
                    .ifNoItem()
                    .after(queryTimeout)
                    .fail()
                    .invoke(found -> {
                        Row row = found.iterator().next();
                        level = new Level(row.getLong(0) - rowsBefore, row.getLong(1) - bytesBefore);
                    })
                    .replaceWithVoid();
        });
    }

    /** Records were taken out of the table (or, negative, put in by another way). */
    void removed(long rows, long bytes) {
        added(-rows, -bytes);
    }

    /** Where the relay waits for {@link #committed()}. */
    Wakeup wakeup() {
        return wakeup;
    }

    /** As UTF-8, counted without making it. */
    static int bytesOf(AuditRecord record) {
        String text = record.canonical();
        int bytes = text.length();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c >= 0x80) {
                // The two halves of a surrogate pair are two bytes each.
                bytes += c < 0x800 || Character.isSurrogate(c) ? 1 : 2;
            }
        }
        return bytes;
    }

    private void added(List<AuditRecord> records) {
        added(records.size(), records.stream().mapToLong(PgOutbox::bytesOf).sum());
    }

    private void added(long rows, long bytes) {
        rowsAdded.addAndGet(rows);
        bytesAdded.addAndGet(bytes);
    }

    private void reconcileInBackground() {
        try {
            reconcile().await().atMost(queryTimeout.plusSeconds(1));
        } catch (RuntimeException e) {
            LOG.warnf("the audit outbox could not be counted; its fill level stays as it was: %s", e.toString());
        }
    }
}
