package io.aiel.plane.gateway.memory;

import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ProjectScope;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonObject;
import io.vertx.mutiny.sqlclient.Cursor;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.RowSet;
import io.vertx.mutiny.sqlclient.SqlConnection;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What is remembered, in PostgreSQL. What has expired is not there for a reader, whether or not it was swept. Thread-safe. An empty answer to a
 * write means that a quota did not allow it.
 */
final class MemoryStore {
    private static final String ALL_PROJECTS = "*";
    private static final int FORGOTTEN_AT_ONCE = 10_000;
    /** So much of vectors is in memory at once, for each search that runs. */
    private static final int VECTOR_BYTES_AT_ONCE = 1 << 20;

    private static final int VECTORS_AT_ONCE = 1_000;

    private final Pool pool;
    private final ControlAudit audit;
    private final MemorySettings settings;
    private final MemoryGate gate;

    MemoryStore(Pool pool, ControlAudit audit, MemorySettings settings) {
        this.pool = pool;
        this.audit = audit;
        this.settings = settings;
        this.gate = new MemoryGate(settings.runningMax(), settings.waitingMax());
    }

    /** What a project keeps, expired rows that were not swept yet included. */
    record Used(long threads, long checkpoints, long items, long bytes) {}

    /** A thread's messages, oldest first. */
    record Messages(List<MemoryRequest.Message> messages, Instant at) {
        Messages {
            messages = List.copyOf(messages);
        }
    }

    record State(JsonText state, Instant at) {}

    record Checkpoint(String id, JsonText state, JsonText metadata, Instant at) {}

    record Item(Namespace namespace, String key, JsonText value, JsonText tags, Instant at) {
        @Override
        public String toString() {
            return "Item";
        }
    }

    /** An item and how near its vector is, from -1 to 1. */
    record Scored(Item item, double score) {}

    /**
     * What is nearest to a vector.
     *
     * @param items the nearest first
     * @param compared how many vectors were compared
     * @param complete whether these were all with as many dimensions
     * @param otherDimensions how many items fit and have a vector of another number of dimensions; no more are counted than are compared at most
     */
    record Nearest(List<Scored> items, int compared, boolean complete, int otherDimensions) {
        Nearest {
            items = List.copyOf(items);
        }
    }

    /**
     * What one call made be forgotten.
     *
     * @param more whether there may be others
     */
    record Forgotten(int count, boolean more) {}

    /** Puts messages at the end of a thread, all or none; gives when. */
    Uni<Optional<Instant>> append(ProjectScope scope, ThreadKey key, MemoryRequest.Append append, Instant now) {
        List<MemoryRequest.Message> messages = append.messages();
        Tuple parameters = thread(scope, key, append.scope(), now, append.ttl())
                .addLong(settings.project().threadsMax())
                .addInteger(messages.size())
                .addLong(append.bytes())
                .addLong(settings.project().bytesMax())
                .addInteger(settings.project().messagesMax())
                .addArrayOfString(
                        messages.stream().map(MemoryRequest.Message::role).toArray(String[]::new))
                .addArrayOfString(
                        messages.stream().map(MemoryRequest.Message::content).toArray(String[]::new))
                .addArrayOfString(messages.stream()
                        .map(one -> one.ts().orElseGet(now::toString))
                        .toArray(String[]::new))
                .addArrayOfString(
                        messages.stream().map(one -> one.meta().value()).toArray(String[]::new))
                .addArrayOfLong(
                        messages.stream().map(MemoryRequest.Message::bytes).toArray(Long[]::new));
        return run(scope, MemoryStatements.APPEND, parameters)
                .map(rows -> first(rows).map(row -> instant(row.getOffsetDateTime(0))));
    }

    /** The newest of a thread; empty when it has none. */
    Uni<Optional<Messages>> messages(ProjectScope scope, ThreadKey key, int limit, Instant now) {
        Tuple parameters = of(scope)
                .addString(key.id(scope))
                .addOffsetDateTime(time(now))
                .addInteger(limit)
                .addLong(settings.sizes().answerBytesMax());
        return run(scope, MemoryStatements.MESSAGES, parameters)
                .map(rows -> first(rows).map(head -> {
                    List<MemoryRequest.Message> messages = new ArrayList<>(rows.size());
                    rows.forEach(row -> {
                        if (row.getLong("seq") != null) {
                            messages.add(new MemoryRequest.Message(
                                    row.getString("role"),
                                    row.getString("content"),
                                    Optional.of(row.getString("ts")),
                                    new JsonText(row.getString("meta"))));
                        }
                    });
                    return new Messages(messages, instant(head.getOffsetDateTime("messages_at")));
                }));
    }

    /** Members over those that the state has; gives the whole. */
    Uni<Optional<State>> patch(ProjectScope scope, ThreadKey key, MemoryRequest.Patch patch, Instant now) {
        Tuple parameters = thread(scope, key, patch.scope(), now, patch.ttl())
                .addLong(settings.project().threadsMax())
                .addString(patch.patch().value())
                .addInteger(Sizes.of(patch.patch()))
                .addLong(settings.project().bytesMax())
                .addInteger(settings.sizes().stateBytesMax());
        return run(scope, MemoryStatements.PATCH, parameters).map(MemoryStore::state);
    }

    Uni<Optional<State>> state(ProjectScope scope, ThreadKey key, Instant now) {
        return run(
                        scope,
                        MemoryStatements.STATE,
                        of(scope).addString(key.id(scope)).addOffsetDateTime(time(now)))
                .map(MemoryStore::state);
    }

    private static Optional<State> state(RowSet<Row> rows) {
        return first(rows)
                .map(row -> new State(new JsonText(row.getString(0)), instant(row.getOffsetDateTime("state_at"))));
    }

    /** A page of the threads that have something, with this user and agent where one is named. */
    Uni<List<JsonObject>> threads(ProjectScope scope, MemoryRequest.Scope about, String after, int rows, Instant now) {
        Tuple parameters = of(scope)
                .addOffsetDateTime(time(now))
                .addValue(about.user().orElse(null))
                .addValue(about.agent().orElse(null))
                .addString(after)
                .addInteger(rows);
        return run(scope, MemoryStatements.THREADS, parameters).map(found -> {
            List<JsonObject> threads = new ArrayList<>(found.size());
            found.forEach(row -> threads.add(new JsonObject()
                    .put("id", row.getString("id"))
                    .put("thread_key", row.getString("thread_key"))
                    .put("user_id", row.getString("user_id"))
                    .put("agent_id", row.getString("agent_id"))
                    .put("messages", row.getInteger("messages"))
                    .put("updated_at", instant(row.getOffsetDateTime("at")).toString())));
            return threads;
        });
    }

    /** Removes a thread with its messages, state and checkpoint; false when there is none of them. */
    Uni<Boolean> forget(ProjectScope scope, AuditContext context, ThreadKey key) {
        return limited(
                scope,
                pool.withTransaction(connection -> about(
                                connection, scope.project().value(), true)
                        .chain(() -> connection
                                .preparedQuery(MemoryStatements.FORGET_THREAD)
                                .execute(of(scope).addString(key.id(scope))))
                        .map(rows -> rows.iterator().next().getBoolean(0))
                        .call(was -> was
                                ? forgotten(connection, scope, context, Map.of("threads", "1", "by", "keys"))
                                : Uni.createFrom().voidItem())));
    }

    private Uni<Void> forgotten(
            SqlConnection connection, ProjectScope scope, AuditContext context, Map<String, String> facts) {
        return audit.record(
                connection,
                context,
                new AuditEvent.ControlChanged(
                        "memory.forgotten", scope.project().value(), facts));
    }

    /** In the place of the thread's last one; false when a quota does not allow it. */
    Uni<Boolean> checkpoint(
            ProjectScope scope, ThreadKey key, String id, MemoryRequest.Checkpoint checkpoint, Instant now) {
        Tuple parameters = thread(scope, key, checkpoint.scope(), now, checkpoint.ttl())
                .addLong(settings.project().threadsMax())
                .addString(id)
                .addString(checkpoint.state().value())
                .addString(checkpoint.metadata().value())
                .addLong(checkpoint.bytes())
                .addLong(settings.project().bytesMax());
        return run(scope, MemoryStatements.CHECKPOINT, parameters).map(rows -> rows.size() > 0);
    }

    Uni<Optional<Checkpoint>> latest(ProjectScope scope, ThreadKey key, Instant now) {
        return run(
                        scope,
                        MemoryStatements.LATEST,
                        of(scope).addString(key.id(scope)).addOffsetDateTime(time(now)))
                .map(rows -> first(rows)
                        .map(row -> new Checkpoint(
                                row.getString(0),
                                new JsonText(row.getString(1)),
                                new JsonText(row.getString(2)),
                                instant(row.getOffsetDateTime(3)))));
    }

    /** Keeps an item, in the place of the one with its name; false when a quota does not allow it. */
    Uni<Boolean> put(ProjectScope scope, MemoryRequest.Put put, Instant now) {
        String id = itemId(scope, put.address());
        Namespace namespace = put.address().namespace();
        Tuple parameters = of(scope)
                .addString(id)
                .addArrayOfString(namespace.names().toArray(String[]::new))
                .addString(namespace.path())
                .addString(put.address().key())
                .addOffsetDateTime(time(now))
                .addValue(expiry(now, put.ttl()))
                .addString(MemoryIds.shard(id))
                .addLong(settings.project().itemsMax())
                .addString(put.value().value())
                .addString(put.tags().value())
                .addString(put.words())
                .addLong(put.bytes())
                .addLong(settings.project().bytesMax())
                .addValue(put.embedding().map(Embedding::dimensions).orElse(null))
                .addValue(put.embedding().map(Embedding::bytes).orElse(null));
        return run(scope, MemoryStatements.PUT, parameters).map(rows -> rows.size() > 0);
    }

    Uni<Optional<Item>> get(ProjectScope scope, MemoryRequest.Address address, Instant now) {
        return run(
                        scope,
                        MemoryStatements.GET,
                        of(scope).addString(itemId(scope, address)).addOffsetDateTime(time(now)))
                .map(rows -> first(rows).map(MemoryStore::item));
    }

    /** The best first, of a search by text; else the newest. */
    Uni<List<Item>> search(ProjectScope scope, MemoryRequest.Search search, Instant now) {
        Tuple parameters = inside(scope, search.namespace(), search.tags(), now)
                .addValue(search.keyPrefix().orElse(null))
                .addValue(search.text().orElse(null))
                .addInteger(search.limit())
                .addLong(settings.sizes().answerBytesMax());
        return run(scope, MemoryStatements.SEARCH, parameters).map(rows -> {
            List<Item> items = new ArrayList<>(rows.size());
            rows.forEach(row -> items.add(item(row)));
            return items;
        });
    }

    /**
     * The nearest to a vector, of what a search without it would find: all are compared, or the newest, where there are more than may be. Their vectors
     * are read piece by piece; their items once it is known which are the nearest.
     */
    Uni<Nearest> nearest(ProjectScope scope, MemoryRequest.Search search, Embedding vector, Instant now) {
        int most = settings.vectorsComparedMax();
        Ranking ranking = new Ranking(search.limit());
        // One more than are compared says whether these are all.
        Tuple vectors = fitting(scope, search, vector, now).addInteger(most + 1);
        Tuple others = fitting(scope, search, vector, now).addInteger(most);
        return limited(
                scope,
                pool.withTransaction(connection -> connection
                        .query(MemoryStatements.ONE_MOMENT)
                        .execute()
                        .chain(() -> about(connection, scope.project().value(), true))
                        .chain(() -> compare(connection, vectors, vector, ranking, most))
                        .chain(complete -> connection
                                .preparedQuery(MemoryStatements.OTHER_DIMENSIONS)
                                .execute(others)
                                .map(rows -> rows.iterator().next().getInteger(0))
                                .chain(other -> items(connection, scope, ranking.best())
                                        .map(items -> new Nearest(items, ranking.compared(), complete, other))))));
    }

    private static Tuple fitting(ProjectScope scope, MemoryRequest.Search search, Embedding vector, Instant now) {
        return inside(scope, search.namespace(), search.tags(), now)
                .addValue(search.keyPrefix().orElse(null))
                .addValue(search.text().orElse(null))
                .addInteger(vector.dimensions());
    }

    /** Gives whether that were all. */
    private static Uni<Boolean> compare(
            SqlConnection connection, Tuple parameters, Embedding vector, Ranking ranking, int most) {
        int piece = Math.clamp(VECTOR_BYTES_AT_ONCE / vector.size(), 1, VECTORS_AT_ONCE);
        return connection.prepare(MemoryStatements.VECTORS).chain(statement -> {
            Cursor cursor = statement.cursor(parameters);
            return Multi.createBy()
                    .repeating()
                    .uni(() -> cursor.read(piece))
                    .whilst(_ -> cursor.hasMore())
                    .onItem()
                    .invoke(rows -> rank(rows, vector, ranking, most))
                    .collect()
                    .with(Collectors.summingInt(RowSet::size))
                    .map(read -> read <= most)
                    .onTermination()
                    .call(() -> statement.close());
        });
    }

    private static void rank(RowSet<Row> rows, Embedding vector, Ranking ranking, int most) {
        for (Row row : rows) {
            if (ranking.compared() < most) {
                ranking.add(row.getString(0), vector.cosine(row.getDelegate().getBuffer(1)));
            }
        }
    }

    private Uni<List<Scored>> items(SqlConnection connection, ProjectScope scope, List<Ranking.Near> nearest) {
        Map<String, Double> scores = nearest.stream().collect(Collectors.toMap(Ranking.Near::id, Ranking.Near::score));
        Tuple parameters = of(scope)
                .addArrayOfString(nearest.stream().map(Ranking.Near::id).toArray(String[]::new))
                .addLong(settings.sizes().answerBytesMax());
        return connection
                .preparedQuery(MemoryStatements.OF_IDS)
                .execute(parameters)
                .map(rows -> {
                    List<Scored> items = new ArrayList<>(rows.size());
                    rows.forEach(
                            row -> items.add(new Scored(item(row), scores.getOrDefault(row.getString("id"), 0.0))));
                    return items;
                });
    }

    /** Removes items, with a record of how many: neither their names nor what they held are in it. */
    Uni<Forgotten> forget(ProjectScope scope, AuditContext context, MemoryRequest.Forget forget, Instant now) {
        boolean byKey = forget.tags().isEmpty();
        String sql = byKey ? MemoryStatements.FORGET_KEYS : MemoryStatements.FORGET_TAGS;
        Tuple parameters = byKey
                ? of(scope)
                        .addArrayOfString(forget.keys().stream()
                                .map(key -> itemId(scope, new MemoryRequest.Address(forget.namespace(), key)))
                                .toArray(String[]::new))
                : inside(scope, forget.namespace(), forget.tags(), now).addInteger(FORGOTTEN_AT_ONCE);
        return limited(
                scope,
                pool.withTransaction(connection -> about(
                                connection, scope.project().value(), true)
                        .chain(() -> connection.preparedQuery(sql).execute(parameters))
                        .map(rows -> rows.iterator().next().getInteger(0))
                        .call(count -> count == 0
                                ? Uni.createFrom().voidItem()
                                : forgotten(
                                        connection,
                                        scope,
                                        context,
                                        Map.of("items", Integer.toString(count), "by", byKey ? "keys" : "tags")))
                        .map(count -> new Forgotten(count, !byKey && count >= FORGOTTEN_AT_ONCE))));
    }

    Uni<Used> used(ProjectScope scope) {
        return run(scope, MemoryStatements.USED, of(scope)).map(rows -> {
            Row row = rows.iterator().next();
            return new Used(row.getLong(0), row.getLong(1), row.getLong(2), row.getLong(3));
        });
    }

    /** Clears away what has expired, a bounded number of rows of each kind; empty when another server is at it. Gives the most of any kind. */
    Uni<Optional<Integer>> sweep(Instant now) {
        return pool.withTransaction(connection -> about(connection, ALL_PROJECTS, true)
                        .chain(() -> connection
                                .preparedQuery("select pg_try_advisory_xact_lock($1)")
                                .execute(Tuple.of(MemorySweep.LOCK)))
                        .chain(rows -> rows.iterator().next().getBoolean(0)
                                ? sweep(connection, now).map(Optional::of)
                                : Uni.createFrom().item(Optional.<Integer>empty())))
                .ifNoItem()
                .after(MemorySweep.LIMIT)
                .fail();
    }

    private Uni<Integer> sweep(SqlConnection connection, Instant now) {
        Uni<Integer> most = Uni.createFrom().item(0);
        for (String sql : List.of(
                MemoryStatements.SWEEP_MESSAGES,
                MemoryStatements.SWEEP_CONVERSATIONS,
                MemoryStatements.SWEEP_STATES,
                MemoryStatements.SWEEP_THREADS,
                MemoryStatements.SWEEP_CHECKPOINTS,
                MemoryStatements.SWEEP_ITEMS)) {
            most = most.chain(before -> connection
                    .preparedQuery(sql)
                    .execute(Tuple.of(time(now), settings.sweepLimit()))
                    .map(rows -> Math.max(before, rows.iterator().next().getInteger(0))));
        }
        return most;
    }

    static String itemId(ProjectScope scope, MemoryRequest.Address address) {
        return MemoryIds.of("rcl", scope, address.namespace().path() + '\0' + address.key());
    }

    private static Item item(Row row) {
        return new Item(
                new Namespace(Arrays.asList(row.getArrayOfStrings(0))),
                row.getString(1),
                new JsonText(row.getString(2)),
                new JsonText(row.getString(3)),
                instant(row.getOffsetDateTime(4)));
    }

    private static Tuple of(ProjectScope scope) {
        return Tuple.tuple()
                .addString(scope.tenant().value())
                .addString(scope.project().value());
    }

    private static Tuple thread(
            ProjectScope scope, ThreadKey key, MemoryRequest.Scope about, Instant now, Optional<Duration> ttl) {
        String id = key.id(scope);
        return of(scope)
                .addString(id)
                .addString(key.value())
                .addValue(about.user().orElse(null))
                .addValue(about.agent().orElse(null))
                .addOffsetDateTime(time(now))
                .addValue(expiry(now, ttl))
                .addString(MemoryIds.shard(id));
    }

    private static Tuple inside(ProjectScope scope, Namespace namespace, Optional<JsonText> tags, Instant now) {
        return of(scope)
                .addOffsetDateTime(time(now))
                .addString(namespace.path())
                .addString(namespace.least())
                .addString(namespace.beyond())
                .addValue(tags.map(JsonText::value).orElse(null));
    }

    private static @Nullable OffsetDateTime expiry(Instant now, Optional<Duration> ttl) {
        return ttl.map(after -> time(now.plus(after))).orElse(null);
    }

    private static OffsetDateTime time(Instant instant) {
        return instant.atOffset(ZoneOffset.UTC);
    }

    private static Instant instant(OffsetDateTime time) {
        return time.toInstant();
    }

    private static Optional<Row> first(RowSet<Row> rows) {
        return rows.size() == 0 ? Optional.empty() : Optional.of(rows.iterator().next());
    }

    /**
     * Runs a statement that sees this project's rows alone. Both are sent at once and run one after the other: the second line costs no round trip
     * of its own.
     */
    private Uni<RowSet<Row>> run(ProjectScope scope, String sql, Tuple parameters) {
        return limited(
                scope,
                pool.withConnection(connection -> Uni.combine()
                        .all()
                        .unis(
                                about(connection, scope.project().value(), false),
                                connection.preparedQuery(sql).execute(parameters))
                        .with((_, rows) -> rows)));
    }

    private static Uni<RowSet<Row>> about(SqlConnection connection, String project, boolean inTransaction) {
        return connection.preparedQuery(MemoryStatements.ABOUT).execute(Tuple.of(project, inTransaction));
    }

    private <T> Uni<T> limited(ProjectScope scope, Uni<T> work) {
        return gate.pass(scope.project(), work)
                .ifNoItem()
                .after(settings.statementTimeout())
                .fail();
    }
}
