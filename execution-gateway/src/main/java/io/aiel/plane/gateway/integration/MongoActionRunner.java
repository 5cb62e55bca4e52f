package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.mongodb.MongoBulkWriteException;
import com.mongodb.MongoClientSettings;
import com.mongodb.MongoCommandException;
import com.mongodb.MongoCredential;
import com.mongodb.MongoExecutionTimeoutException;
import com.mongodb.MongoIncompatibleDriverException;
import com.mongodb.MongoInternalException;
import com.mongodb.MongoNotPrimaryException;
import com.mongodb.MongoOperationTimeoutException;
import com.mongodb.MongoSecurityException;
import com.mongodb.MongoServerException;
import com.mongodb.MongoTimeoutException;
import com.mongodb.MongoWriteException;
import com.mongodb.ServerAddress;
import com.mongodb.WriteConcern;
import com.mongodb.bulk.BulkWriteError;
import com.mongodb.client.model.DeleteOptions;
import com.mongodb.client.model.UpdateOptions;
import com.mongodb.client.result.UpdateResult;
import com.mongodb.connection.ClusterConnectionMode;
import com.mongodb.connection.ServerMonitoringMode;
import com.mongodb.reactivestreams.client.FindPublisher;
import com.mongodb.reactivestreams.client.MongoCollection;
import com.mongodb.reactivestreams.client.MongoDatabase;
import io.aiel.plane.hydrator.egress.CheckedResolver;
import io.netty.channel.nio.NioEventLoopGroup;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import mutiny.zero.flow.adapters.AdaptersToFlow;
import org.bson.BSONException;
import org.bson.BsonDocument;
import org.bson.BsonInt32;
import org.bson.BsonNull;
import org.bson.BsonValue;
import org.bson.Document;
import org.bson.RawBsonDocument;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;

/**
 * {@code mongodb.*}: finds and changes documents of one database, on the one server that was named and no other that it tells of. Thread-safe; only
 * resolving blocks, on threads of its own.
 */
final class MongoActionRunner implements ActionRunner, AutoCloseable {
    static final String PROVIDER = "mongodb";
    private static final int PORT = 27_017;
    private static final int DOCUMENTS = 100;
    private static final int DOCUMENTS_MAX = 1_000;
    private static final int BATCH = 100;
    private static final int REQUEST_BYTES_MAX = 1 << 20;
    private static final int MESSAGE_MAX = 200;
    private static final Duration CONNECT_LIMIT = Duration.ofSeconds(10);

    /** A batch has at most 16 MiB, and no other is asked for when the result is full. */
    private static final long RECEIVED_BYTES_MAX = 20L << 20;

    /** What is beside the documents in a result. */
    private static final int RESULT_FRAME_BYTES = 1_024;

    private static final int NOT_ALLOWED = 13;
    private static final int NOT_AUTHENTICATED = 18;
    private static final int TOOK_TOO_LONG = 50;
    private static final int NOT_PRIMARY = 10_107;
    private static final int DUPLICATE_KEY = 11_000;
    private static final int NOT_PRIMARY_NO_SECONDARY_OK = 13_435;

    /** FailedToParse, Unauthorized, CommandNotFound, InvalidOptions, InvalidNamespace: of a command as a whole. */
    private static final Set<Integer> NOT_BEGUN = Set.of(9, NOT_ALLOWED, 59, 72, 73);

    /** BadValue, TypeMismatch: of a command, or of what a document holds, at which one of many stops. */
    private static final Set<Integer> NOT_BEGUN_OF_ONE = Set.of(2, 14);

    /**
     * What a router says of a document for a shard that broke off, perhaps after it did it: HostUnreachable, HostNotFound, ExceededTimeLimit,
     * NetworkTimeout, ShutdownInProgress, PrimarySteppedDown, NetworkInterfaceExceededTimeLimit, SocketException, InterruptedAtShutdown,
     * InterruptedDueToReplStateChange.
     */
    private static final Set<Integer> UNCLEAR =
            Set.of(6, 7, TOOK_TOO_LONG, 89, 91, 189, 202, 262, 9001, 11_600, 11_602);

    private static final ObjectMapper JSON = new ObjectMapper();

    private final StoreHosts hosts;
    private final StoreSessions<MongoLink> sessions;
    private final int resultBytesMax;
    private final Duration readLimit;
    private final NioEventLoopGroup loops = new NioEventLoopGroup(
            1, Thread.ofPlatform().daemon().name("plane-mongodb-", 0).factory());

    MongoActionRunner(Vertx vertx, CheckedResolver resolver, IntegrationSettings settings) {
        this.hosts = new StoreHosts(resolver);
        this.sessions = new StoreSessions<>(vertx, settings.idleMax(), settings.idleTimeout());
        this.resultBytesMax = settings.resultBytesMax();
        this.readLimit = settings.callTimeoutMax();
    }

    @Override
    public boolean serves(String provider) {
        return provider.equals(PROVIDER);
    }

    /** What an action does with a database. */
    @FunctionalInterface
    private interface Work {
        Uni<ObjectNode> apply(MongoDatabase database);
    }

    @Override
    public Uni<ActionResult> run(ActionRequest request) {
        AtomicBoolean writing = new AtomicBoolean();
        StoreSessions.Key key = StoreSessions.Key.of(request);
        return Uni.createFrom()
                .item(() -> work(request))
                .chain(work -> sessions.use(
                        key,
                        () -> connect(request),
                        request.timeout(),
                        link -> on(link, request, work, writing),
                        (session, failure) -> giveBack(key, session, failure)))
                .<ActionResult>map(ActionResult.Done::new)
                .onFailure()
                .recoverWithItem(failure -> ended(failure, writing.get(), request));
    }

    private static Uni<ObjectNode> on(MongoLink link, ActionRequest request, Work work, AtomicBoolean writing) {
        link.start(writing);
        return work.apply(database(link, request))
                .ifNoItem()
                .after(Duration.ofMillis(limitMs(request)))
                .fail()
                .onFailure(_ -> link.isExceeded())
                .transform(_ -> new MongoLink.TooLarge());
    }

    /** A connection is kept when all that was asked on it was answered, refusals among them. */
    private void giveBack(
            StoreSessions.Key key, StoreSessions.Session<MongoLink> session, Optional<Throwable> failure) {
        boolean whole = failure.isEmpty()
                || failure.get() instanceof RequestRefused
                || (failure.get() instanceof MongoServerException
                        && !(failure.get() instanceof MongoNotPrimaryException));
        if (whole && !session.connection().isEnded()) {
            session.connection().rest();
            sessions.give(key, session);
        } else {
            session.close();
        }
    }

    private static long limitMs(ActionRequest request) {
        long most = request.timeout().toMillis();
        return Math.min(most, request.settings().path("max_time_ms").asLong(most));
    }

    /** Without the driver's own limit for a call: with it, an end of the connection right after a write can be lost in the driver. */
    private static MongoDatabase database(MongoLink link, ActionRequest request) {
        return link.client()
                .getDatabase(request.settings().path("database").asText())
                .withWriteConcern(WriteConcern.ACKNOWLEDGED);
    }

    /** All that can be found wrong with a request without a connection is found here. */
    private Work work(ActionRequest request) {
        JsonNode params = request.params();
        String text = params.toString();
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
            throw new RequestRefused("invalid_params", 400, "The parameters hold half a character.");
        }
        if (text.getBytes(StandardCharsets.UTF_8).length > REQUEST_BYTES_MAX) {
            throw new RequestRefused(
                    "request_too_large", 422, "The request has more than " + REQUEST_BYTES_MAX + " bytes; send less.");
        }
        return switch (request.action()) {
            case "mongodb.ping" ->
                database -> ping(database).map(_ -> JSON.createObjectNode().put("ok", true));
            case "mongodb.find" -> find(request);
            case "mongodb.insert" -> insert(request);
            case "mongodb.update" -> update(request);
            case "mongodb.delete" -> delete(request);
            default -> throw new RequestRefused("unknown_action", 404, "mongodb has no action " + request.action());
        };
    }

    private static String collection(ActionRequest request) {
        String collection = request.params().path("collection").asText();
        JsonNode listed = request.settings().path("collections");
        if (listed.isArray()
                && listed.valueStream().noneMatch(one -> one.asText().equals(collection))) {
            throw RequestRefused.notAllowed("The connection does not allow this collection.");
        }
        if (collection.startsWith("system.") || collection.indexOf('$') >= 0 || collection.indexOf('\0') >= 0) {
            throw RequestRefused.notAllowed("The server's own collections are not for this.");
        }
        return collection;
    }

    private Work find(ActionRequest request) {
        String collection = collection(request);
        JsonNode params = request.params();
        BsonDocument filter = MongoQueries.filter(params.path("filter"));
        BsonDocument projection = MongoQueries.projection(params.path("projection"));
        BsonDocument sort = MongoQueries.sort(params.path("sort"));
        int most = request.settings().path("max_documents").asInt(DOCUMENTS_MAX);
        int limit = Math.min(most, params.path("limit").asInt(Math.min(most, DOCUMENTS)));
        int skip = params.path("skip").asInt(0);
        return database -> {
            FindPublisher<RawBsonDocument> found = database.getCollection(collection, RawBsonDocument.class)
                    .find(filter)
                    .projection(projection)
                    .sort(sort)
                    .skip(skip)
                    // The server is told to give up then, too.
                    .maxTime(limitMs(request), TimeUnit.MILLISECONDS)
                    // One more shows that there are more.
                    .limit(limit + 1)
                    .batchSize(Math.min(BATCH, limit + 1));
            Page page = new Page(limit, resultBytesMax - RESULT_FRAME_BYTES);
            return Multi.createFrom()
                    .publisher(AdaptersToFlow.publisher(found))
                    .select()
                    .first(page::takes)
                    .onItem()
                    .ignoreAsUni()
                    .map(_ -> page.result());
        };
    }

    /** Documents, until they are as many, or have as many bytes, as a result may. One call fills it, on one thread after the other. */
    private static final class Page {
        private static final int BSON_FOR_JSON_MAX = 10;

        private final int documentsMax;
        private final ArrayNode documents = JSON.createArrayNode();
        private long bytesLeft;
        private boolean truncated;

        Page(int documentsMax, long bytesMax) {
            this.documentsMax = documentsMax;
            this.bytesLeft = bytesMax;
        }

        /** Whether there may be a next one. */
        boolean takes(RawBsonDocument document) {
            // Its text is never so much shorter, and to write that costs many times its bytes.
            boolean huge = document.getByteBuffer().remaining() > BSON_FOR_JSON_MAX * bytesLeft;
            if (huge || documents.size() == documentsMax) {
                truncated = true;
                return false;
            }
            JsonNode one = read(MongoQueries.json(document));
            bytesLeft -= one.toString().getBytes(StandardCharsets.UTF_8).length + 1;
            if (bytesLeft < 0) {
                truncated = true;
                return false;
            }
            documents.add(one);
            return true;
        }

        ObjectNode result() {
            if (truncated && documents.isEmpty()) {
                throw answerTooLarge();
            }
            ObjectNode result = JSON.createObjectNode();
            result.set("documents", documents);
            return result.put("count", documents.size()).put("truncated", truncated);
        }
    }

    private static RequestRefused answerTooLarge() {
        return new RequestRefused(
                "answer_too_large", 422, "A document is larger than a result may be; project less of it.");
    }

    private Work insert(ActionRequest request) {
        String collection = collection(request);
        List<BsonDocument> documents = request.params()
                .path("documents")
                .valueStream()
                .map(MongoQueries::document)
                .toList();
        return database -> one(of(database, collection).insertMany(new ArrayList<>(documents)))
                .map(result -> inserted(result.getInsertedIds()))
                .onFailure(MongoBulkWriteException.class)
                .recoverWithUni(failure -> inPart(failure, documents));
    }

    /** In their order, up to the first that the server does not take: what comes before it is there, and that is no refusal. */
    private static Uni<ObjectNode> inPart(MongoBulkWriteException failure, List<BsonDocument> documents) {
        int count = Math.min(failure.getWriteResult().getInsertedCount(), documents.size());
        List<BulkWriteError> errors = failure.getWriteErrors();
        if (count == 0
                || errors.isEmpty()
                || UNCLEAR.contains(errors.getFirst().getCode())
                || failure.getWriteConcernError() != null) {
            return Uni.createFrom().failure(failure);
        }
        Map<Integer, BsonValue> ids = new TreeMap<>();
        for (int i = 0; i < count; i++) {
            ids.put(i, documents.get(i).get("_id", BsonNull.VALUE));
        }
        ObjectNode result = inserted(ids);
        BulkWriteError first = errors.getFirst();
        result.putObject("stopped_at")
                .put("index", first.getIndex())
                .put("reason", first.getCode() == DUPLICATE_KEY ? "conflict" : "rejected");
        return Uni.createFrom().item(result);
    }

    private static ObjectNode inserted(Map<Integer, BsonValue> ids) {
        ObjectNode result = JSON.createObjectNode().put("inserted", ids.size());
        ArrayNode list = result.putArray("ids");
        new TreeMap<>(ids).values().forEach(id -> list.add(json(id)));
        return result;
    }

    private Work update(ActionRequest request) {
        String collection = collection(request);
        JsonNode params = request.params();
        BsonDocument filter = deliberate(request);
        BsonDocument update = MongoQueries.update(params.path("update"));
        UpdateOptions options = new UpdateOptions().upsert(params.path("upsert").asBoolean());
        boolean many = params.path("many").asBoolean();
        return database -> {
            MongoCollection<BsonDocument> there = of(database, collection);
            return one(many ? there.updateMany(filter, update, options) : there.updateOne(filter, update, options))
                    .map(MongoActionRunner::updated);
        };
    }

    private static ObjectNode updated(UpdateResult result) {
        ObjectNode updated = JSON.createObjectNode()
                .put("matched", result.getMatchedCount())
                .put("modified", result.getModifiedCount());
        @Nullable BsonValue id = result.getUpsertedId();
        updated.set("upserted_id", id == null ? JSON.nullNode() : json(id));
        return updated;
    }

    private Work delete(ActionRequest request) {
        String collection = collection(request);
        BsonDocument filter = deliberate(request);
        boolean many = request.params().path("many").asBoolean();
        DeleteOptions options = new DeleteOptions();
        return database -> {
            MongoCollection<BsonDocument> there = of(database, collection);
            return one(many ? there.deleteMany(filter, options) : there.deleteOne(filter, options))
                    .map(result -> JSON.createObjectNode().put("deleted", result.getDeletedCount()));
        };
    }

    /** The filter of a write; one that is empty, perhaps for want of a value, is taken only of those who say that they mean all. */
    private static BsonDocument deliberate(ActionRequest request) {
        BsonDocument filter = MongoQueries.filter(request.params().path("filter"));
        if (filter.isEmpty() && !request.params().path("many").asBoolean()) {
            throw new RequestRefused(
                    "invalid_params", 400, "The filter is empty; say which document is meant, or many: true for all.");
        }
        return filter;
    }

    private static MongoCollection<BsonDocument> of(MongoDatabase database, String collection) {
        return database.getCollection(collection, BsonDocument.class);
    }

    private static <T> Uni<T> one(Publisher<T> publisher) {
        return Uni.createFrom().publisher(AdaptersToFlow.publisher(publisher));
    }

    private static JsonNode json(BsonValue value) {
        return read(MongoQueries.json(new BsonDocument("value", value))).path("value");
    }

    private static JsonNode read(String json) {
        try {
            return JSON.readTree(json);
        } catch (JsonProcessingException e) {
            // Deeper, or with a longer text, than a result may be.
            throw answerTooLarge();
        }
    }

    private Uni<MongoLink> connect(ActionRequest request) {
        String host = request.settings().path("host").asText();
        return Uni.createFrom().deferred(() -> {
            AtomicReference<@Nullable MongoLink> made = new AtomicReference<>();
            AtomicBoolean over = new AtomicBoolean();
            return hosts.resolve(host)
                    .map(address -> {
                        MongoLink link = link(request, host, address);
                        made.set(link);
                        // Nobody may be there any more to take it.
                        if (over.get()) {
                            link.close();
                        }
                        return link;
                    })
                    .call(link -> greet(request, host, link))
                    .onTermination()
                    .invoke((_, failure, cancelled) -> {
                        if (failure != null || cancelled) {
                            over.set(true);
                            MongoLink link = made.get();
                            if (link != null) {
                                link.close();
                            }
                        }
                    });
        });
    }

    /** Has the connection made that is used, and says who one is: it is no part of what the server may take for a call. */
    private static Uni<Document> greet(ActionRequest request, String host, MongoLink link) {
        return Uni.createFrom()
                .completionStage(link.reached())
                .onFailure()
                .transform(_ -> unreachable(host))
                .chain(() -> ping(database(link, request)))
                .invoke(link::believe);
    }

    private static Uni<Document> ping(MongoDatabase database) {
        return one(database.runCommand(new BsonDocument("ping", new BsonInt32(1))));
    }

    private static RequestRefused unreachable(String host) {
        return new RequestRefused(
                "unreachable",
                502,
                "The server at " + host + " could not be connected to, or its certificate is not trusted.");
    }

    private MongoLink link(ActionRequest request, String host, InetAddress address) {
        JsonNode settings = request.settings();
        Duration limit = request.timeout().compareTo(CONNECT_LIMIT) < 0 ? request.timeout() : CONNECT_LIMIT;
        int limitMs = Math.toIntExact(limit.toMillis());
        Optional<SSLContext> tls = StoreHosts.trust(settings).map(MongoActionRunner::tls);
        ServerAddress server = new ServerAddress(host, settings.path("port").asInt(PORT));
        return new MongoLink(loops, RECEIVED_BYTES_MAX, link -> {
            MongoClientSettings.Builder builder = MongoClientSettings.builder()
                    .applicationName("aiel-plane")
                    // What was lost is said to be; nothing is sent twice.
                    .retryWrites(false)
                    .retryReads(false)
                    // One server, whatever others it tells of.
                    .applyToClusterSettings(cluster -> cluster.mode(ClusterConnectionMode.SINGLE)
                            .hosts(List.of(server))
                            .serverSelectionTimeout(limitMs, TimeUnit.MILLISECONDS))
                    // The driver knows the name for TLS, and only the address that was checked to connect to.
                    .inetAddressResolver(name -> {
                        if (name.equals(server.getHost())) {
                            return List.of(address);
                        }
                        throw new UnknownHostException("no other host is connected to");
                    })
                    .applyToConnectionPoolSettings(pool -> pool.maxSize(2).maxWaitTime(limitMs, TimeUnit.MILLISECONDS))
                    // Calls end before; but what the driver says when it is closed has no other limit.
                    .applyToSocketSettings(socket -> socket.connectTimeout(limitMs, TimeUnit.MILLISECONDS)
                            .readTimeout(readLimit.toMillis(), TimeUnit.MILLISECONDS))
                    .applyToServerSettings(watched -> watched.serverMonitoringMode(ServerMonitoringMode.POLL)
                            .heartbeatFrequency(10, TimeUnit.SECONDS)
                            .addServerListener(link.server()))
                    .addCommandListener(link.commands());
            tls.ifPresent(context ->
                    builder.applyToSslSettings(ssl -> ssl.enabled(true).context(context)));
            credential(request).ifPresent(builder::credential);
            return builder;
        });
    }

    private static Optional<MongoCredential> credential(ActionRequest request) {
        String password = request.credentials().path("password").asText();
        String user = request.settings().path("user").asText();
        if (password.isEmpty() && user.isEmpty()) {
            return Optional.empty();
        }
        if (password.isEmpty() || user.isEmpty()) {
            throw new RequestRefused("invalid_auth", 409, "The setting user and the password go together.");
        }
        return Optional.of(MongoCredential.createCredential(
                user, request.settings().path("auth_database").asText("admin"), password.toCharArray()));
    }

    private static SSLContext tls(NamedTrust trust) {
        try {
            SSLContext context = SSLContext.getInstance("TLS");
            context.init(null, new TrustManager[] {trust}, null);
            return context;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("Java has TLS", e);
        }
    }

    private static ActionResult ended(Throwable failure, boolean writing, ActionRequest request) {
        return switch (failure) {
            case RequestRefused refused -> refused.result();
            case MongoSecurityException _ -> invalidAuth();
            case MongoIncompatibleDriverException _ ->
                RequestRefused.connection("The server is of a version that is not spoken to.")
                        .result();
            case MongoNotPrimaryException _ when !writing || isOne(request) -> notPrimary();
            case MongoWriteException said
            when isOne(request) && !UNCLEAR.contains(said.getError().getCode()) ->
                said(said.getError().getCode(), said.getError().getMessage(), request);
            case MongoBulkWriteException said
            when said.getWriteConcernError() == null
                    && !said.getWriteErrors().isEmpty()
                    && !UNCLEAR.contains(said.getWriteErrors().getFirst().getCode()) -> {
                BulkWriteError first = said.getWriteErrors().getFirst();
                yield said(first.getCode(), first.getMessage(), request);
            }
            case MongoCommandException said
            when !writing || isNotBegun(said.getErrorCode(), request) ->
                said(said.getErrorCode(), said.getErrorMessage(), request);
            case Throwable _ when writing -> new ActionResult.Unknown("The server did not say how the write ended.");
            case MongoLink.TooLarge _ -> answerTooLarge().result();
            case BSONException _ -> badAnswer();
            case MongoInternalException _ -> badAnswer();
            case MongoExecutionTimeoutException _ -> timeout();
            case MongoOperationTimeoutException _ -> timeout();
            case io.smallrye.mutiny.TimeoutException _ -> timeout();
            case MongoTimeoutException _ ->
                ActionResult.refused("unavailable", "The server could not be asked in time.", 502);
            default -> ActionResult.refused("connection_lost", "The connection to the server was lost.", 502);
        };
    }

    /** One document is changed as a whole or not at all; of many, some may have been before the server came upon what it refuses. */
    private static boolean isOne(ActionRequest request) {
        return !request.params().path("many").asBoolean()
                && request.params().path("documents").size() < 2;
    }

    /** Whether it says that of a write before it does any of it. */
    private static boolean isNotBegun(int code, ActionRequest request) {
        return NOT_BEGUN.contains(code) || (isOne(request) && NOT_BEGUN_OF_ONE.contains(code));
    }

    private static ActionResult notPrimary() {
        return RequestRefused.connection("The server is not the primary of its replica set.")
                .result();
    }

    private static ActionResult timeout() {
        return ActionResult.refused("timeout", "The server took too long.", 504);
    }

    private static ActionResult badAnswer() {
        return ActionResult.refused("bad_answer", "What answers there does not speak as MongoDB does.", 502);
    }

    /** What the driver and the server say of it may show a part of it, and is not passed on. */
    private static ActionResult invalidAuth() {
        return ActionResult.refused("invalid_auth", "The server does not take the connection's credentials.", 409);
    }

    private static ActionResult said(int code, String message, ActionRequest request) {
        return switch (code) {
            case NOT_ALLOWED -> ActionResult.refused("forbidden", "The user of the connection may not do that.", 403);
            case NOT_AUTHENTICATED -> invalidAuth();
            case NOT_PRIMARY, NOT_PRIMARY_NO_SECONDARY_OK -> notPrimary();
            case TOOK_TOO_LONG -> timeout();
            case DUPLICATE_KEY ->
                ActionResult.refused(
                        "conflict", "There is a document with the same key: " + shown(message, request), 409);
            default ->
                ActionResult.refused(
                        "rejected", "The server says: " + shown(message, request) + " (" + code + ")", 422);
        };
    }

    private static String shown(String text, ActionRequest request) {
        String clean =
                CredentialScrub.of(CredentialScrub.texts(request.credentials())).text(text);
        return clean.length() <= MESSAGE_MAX ? clean : clean.substring(0, MESSAGE_MAX) + "…";
    }

    /** How many connections wait for the next call. */
    int idle() {
        return sessions.idle();
    }

    @Override
    public void close() {
        sessions.close();
        hosts.close();
        var _ = loops.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }
}
