package io.aiel.plane.audit;

import io.aiel.plane.vocabulary.Digest;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.SqlConnection;
import io.vertx.mutiny.sqlclient.Tuple;
import java.util.List;
import java.util.Optional;
import org.hibernate.reactive.mutiny.Mutiny;
import org.jspecify.annotations.Nullable;

/**
 * Records changes of the control plane, denials and reads on the tenant's control stream, in the caller's transaction: the change
 * and its record are kept together or not at all. Thread-safe. The stream's head row stays locked until that transaction ends,
 * so record as late in it as possible; changes of one tenant wait for each other there.
 */
public final class ControlAudit {
    // Makes the row or takes it as it is; locks it and reads it in one round trip.
    private static final String LOCK_HEAD = """
            INSERT INTO audit_stream_heads (stream, sequence, hash) VALUES (%s, 0, NULL)
            ON CONFLICT (stream) DO UPDATE SET sequence = audit_stream_heads.sequence
            RETURNING sequence, hash
            """;
    private static final String APPEND = """
            WITH head AS (UPDATE audit_stream_heads SET sequence = %4$s, hash = %6$s WHERE stream = %3$s)
            INSERT INTO audit_outbox (id, tenant, stream, sequence, type, hash, canonical, bytes)
            VALUES (%1$s, %2$s, %3$s, %4$s, %5$s, %6$s, %7$s, %8$s)
            """;
    private static final String LOCK_HEAD_HIBERNATE = LOCK_HEAD.formatted(":stream");
    private static final String LOCK_HEAD_PLAIN = LOCK_HEAD.formatted("$1");
    private static final String APPEND_HIBERNATE =
            APPEND.formatted(":id", ":tenant", ":stream", ":sequence", ":type", ":hash", ":canonical", ":bytes");
    private static final String APPEND_PLAIN = APPEND.formatted("$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8");

    private final AuditCodec codec;
    private final PgOutbox outbox;

    public ControlAudit(AuditCodec codec, PgOutbox outbox) {
        this.codec = codec;
        this.outbox = outbox;
    }

    /** Records the event in the session's transaction, which must be open. */
    public Uni<Void> record(Mutiny.Session session, AuditContext context, AuditEvent.OfControl event) {
        StreamPosition start = StreamPosition.startOf(context.tenant());
        return session.createNativeQuery(LOCK_HEAD_HIBERNATE, Object[].class)
                .setParameter("stream", start.stream())
                .getSingleResult()
                .map(row -> position(start, ((Number) row[0]).longValue(), (String) row[1]))
                .map(position -> codec.encode(context, event, position))
                .chain(record -> insert(session, record))
                .invoke(this::counted)
                .replaceWithVoid();
    }

    /** Records the event in the connection's transaction, which must be open. */
    public Uni<Void> record(SqlConnection transaction, AuditContext context, AuditEvent.OfControl event) {
        StreamPosition start = StreamPosition.startOf(context.tenant());
        return transaction
                .preparedQuery(LOCK_HEAD_PLAIN)
                .execute(Tuple.of(start.stream()))
                .map(rows -> {
                    Row row = rows.iterator().next();
                    return position(start, row.getLong(0), row.getString(1));
                })
                .map(position -> codec.encode(context, event, position))
                .chain(record -> insert(transaction, record))
                .invoke(this::counted)
                .replaceWithVoid();
    }

    private static StreamPosition position(StreamPosition start, long sequence, @Nullable String hash) {
        return new StreamPosition(
                start.stream(), sequence, Optional.ofNullable(hash).map(Digest::new));
    }

    private static Uni<AuditRecord> insert(Mutiny.Session session, AuditRecord record) {
        return session.createNativeQuery(APPEND_HIBERNATE)
                .setParameter("id", record.id().value())
                .setParameter("tenant", record.tenant().value())
                .setParameter("stream", record.stream())
                .setParameter("sequence", record.sequence())
                .setParameter("type", record.type())
                .setParameter("hash", record.hash().value())
                .setParameter("canonical", record.canonical())
                .setParameter("bytes", PgOutbox.bytesOf(record))
                .executeUpdate()
                .replaceWith(record);
    }

    private static Uni<AuditRecord> insert(SqlConnection transaction, AuditRecord record) {
        Tuple parameters = Tuple.from(List.of(
                record.id().value(),
                record.tenant().value(),
                record.stream(),
                record.sequence(),
                record.type(),
                record.hash().value(),
                record.canonical(),
                PgOutbox.bytesOf(record)));
        return transaction.preparedQuery(APPEND_PLAIN).execute(parameters).replaceWith(record);
    }

    private void counted(AuditRecord record) {
        // The commit is the caller's and not seen here: the relay looks again shortly by its own interval.
        outbox.removed(-1, -PgOutbox.bytesOf(record));
    }
}
