package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.hydrator.egress.CheckedResolver;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.net.NetClient;
import io.vertx.core.net.NetClientOptions;
import io.vertx.core.net.SocketAddress;
import io.vertx.core.net.TrustOptions;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * {@code redis.*}: a handful of commands on keys that begin with the connection's prefix. What callers choose is only ever an argument. Thread-safe; only
 * resolving blocks, on threads of its own.
 */
final class RedisActionRunner implements ActionRunner, AutoCloseable {
    static final String PROVIDER = "redis";
    private static final int PORT = 6379;
    private static final int VALUE_BYTES_MAX = 262_144;
    private static final int FIELDS_MAX = 1_000;
    private static final String FIELDS_AT_ONCE = "100";
    private static final int TTL_MAX = 31_536_000;
    private static final Duration CONNECT_LIMIT = Duration.ofSeconds(10);

    /** What a result has beside values, and what quoting may add to them. */
    private static final int RESULT_FRAME_BYTES = 1_024;

    private final Vertx vertx;
    private final StoreHosts hosts;
    private final StoreSessions<RedisLink> sessions;
    private final int resultBytesMax;

    RedisActionRunner(Vertx vertx, CheckedResolver resolver, IntegrationSettings settings) {
        this.vertx = vertx;
        this.hosts = new StoreHosts(resolver);
        this.sessions = new StoreSessions<>(vertx, settings.idleMax(), settings.idleTimeout());
        this.resultBytesMax = settings.resultBytesMax();
    }

    @Override
    public boolean serves(String provider) {
        return provider.equals(PROVIDER);
    }

    /** What an action does on a connection; {@code writing} is set before the first command that changes something leaves. */
    @FunctionalInterface
    private interface Work {
        Uni<ObjectNode> apply(RedisLink link, AtomicBoolean writing);
    }

    /** The server refuses a command. */
    private static final class Refusal extends RuntimeException {
        private static final long serialVersionUID = 1L;

        private final transient RedisReply.Fault fault;

        Refusal(RedisReply.Fault fault) {
            super(fault.kind(), null, false, false);
            this.fault = fault;
        }
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
                        link -> work.apply(link, writing),
                        (session, failure) -> giveBack(key, session, failure)))
                .<ActionResult>map(ActionResult.Done::new)
                .onFailure()
                .recoverWithItem(failure -> ended(failure, writing.get(), request));
    }

    /** A connection is kept when all its replies have come, refusals among them. */
    private void giveBack(
            StoreSessions.Key key, StoreSessions.Session<RedisLink> session, Optional<Throwable> failure) {
        boolean whole =
                failure.isEmpty() || failure.get() instanceof Refusal || failure.get() instanceof RequestRefused;
        if (whole && !session.connection().isEnded()) {
            sessions.give(key, session);
        } else {
            session.close();
        }
    }

    /** All that can be found wrong with a request without a connection is found here. */
    private Work work(ActionRequest request) {
        JsonNode params = request.params();
        return switch (request.action()) {
            case "redis.ping" ->
                (link, _) -> one(link, RedisCommand.of(RedisCommand.Word.PING)).map(_ -> object().put("ok", true));
            case "redis.get" -> {
                RedisCommand get = RedisCommand.of(RedisCommand.Word.GET, key(request, params.path("key")));
                yield (link, _) -> one(link, get).map(this::found);
            }
            case "redis.set" -> set(request);
            case "redis.del" -> {
                List<String> keys = params.path("keys")
                        .valueStream()
                        .map(key -> key(request, key))
                        .toList();
                yield counted(RedisCommand.of(RedisCommand.Word.DEL, keys), "deleted");
            }
            case "redis.incr" -> incr(request);
            case "redis.hget" -> {
                RedisCommand get = RedisCommand.of(
                        RedisCommand.Word.HGET, key(request, params.path("key")), text(params.path("field")));
                yield (link, _) -> one(link, get).map(this::found);
            }
            case "redis.hgetall" -> {
                String key = key(request, params.path("key"));
                yield (link, _) -> scan(link, key);
            }
            case "redis.hset" -> hset(request);
            case "redis.hdel" -> {
                List<String> arguments = Stream.concat(
                                Stream.of(key(request, params.path("key"))),
                                params.path("fields").valueStream().map(RedisActionRunner::text))
                        .toList();
                yield counted(RedisCommand.of(RedisCommand.Word.HDEL, arguments), "deleted");
            }
            default -> throw new RequestRefused("unknown_action", 404, "redis has no action " + request.action());
        };
    }

    private Work set(ActionRequest request) {
        JsonNode params = request.params();
        List<String> arguments =
                new ArrayList<>(List.of(key(request, params.path("key")), value(params.path("value"))));
        ttl(request).ifPresent(ttl -> arguments.addAll(List.of("EX", ttl)));
        switch (params.path("only_if").asText()) {
            case "absent" -> arguments.add("NX");
            case "present" -> arguments.add("XX");
            default -> {}
        }
        RedisCommand set = RedisCommand.of(RedisCommand.Word.SET, arguments);
        return (link, writing) -> {
            writing.set(true);
            return one(link, set).map(reply -> object().put("set", reply instanceof RedisReply.Word));
        };
    }

    private Work incr(ActionRequest request) {
        JsonNode params = request.params();
        String key = key(request, params.path("key"));
        String by = Long.toString(params.path("by").asLong(1));
        RedisCommand incr = RedisCommand.of(RedisCommand.Word.INCRBY, key, by);
        Optional<String> ttl = ttl(request);
        if (ttl.isEmpty()) {
            return counted(incr, "value");
        }
        // Together, so that no counter is ever there without an end; what is there keeps the end that it has.
        List<RedisCommand> commands = List.of(
                RedisCommand.of(RedisCommand.Word.SET, key, "0", "EX", ttl.get(), "NX"),
                incr,
                RedisCommand.of(RedisCommand.Word.EXEC));
        return (link, writing) -> one(link, RedisCommand.of(RedisCommand.Word.MULTI))
                .invoke(() -> writing.set(true))
                .chain(() -> exchange(link, commands))
                .map(replies -> {
                    if (replies.getLast() instanceof RedisReply.Items(var values) && values.size() == 2) {
                        return object().put("value", count(unlessFault(values.getLast())));
                    }
                    // One of those before says why nothing was carried out.
                    replies.forEach(RedisActionRunner::unlessFault);
                    throw new RedisReplies.Invalid("a transaction has no replies");
                })
                // Half a transaction is nothing for the next call.
                .onFailure()
                .invoke(link::close);
    }

    private Work hset(ActionRequest request) {
        String key = key(request, request.params().path("key"));
        List<String> arguments = new ArrayList<>(List.of(key));
        request.params().path("values").properties().forEach(member -> {
            arguments.add(member.getKey());
            arguments.add(value(member.getValue()));
        });
        if (arguments.stream().mapToLong(text -> bytes(text)).sum() > VALUE_BYTES_MAX) {
            throw tooLarge();
        }
        RedisCommand set = RedisCommand.of(RedisCommand.Word.HSET, arguments);
        Optional<String> ttl = ttl(request);
        return (link, writing) -> {
            writing.set(true);
            Uni<ObjectNode> added = one(link, set).map(reply -> object().put("added", count(reply)));
            return ttl.isEmpty()
                    ? added
                    : added.call(() -> one(link, RedisCommand.of(RedisCommand.Word.EXPIRE, key, ttl.get()))
                            // The values are set by now, so this is no refusal of the action.
                            .onFailure(Refusal.class)
                            .transform(_ -> new RedisLink.Lost("the values were set, but not when they end")));
        };
    }

    private static Work counted(RedisCommand command, String name) {
        return (link, writing) -> {
            writing.set(true);
            return one(link, command).map(reply -> object().put(name, count(reply)));
        };
    }

    /**
     * The fields of a hash, some at a time, until there are no more or as many as a result may have. Part after part, not each within the one
     * before: a server can go on without end, and whoever stops waiting then has to get through all of them.
     */
    private Uni<ObjectNode> scan(RedisLink link, String key) {
        return Multi.createBy()
                .repeating()
                .uni(
                        Scan::new,
                        scan -> one(
                                        link,
                                        RedisCommand.of(
                                                RedisCommand.Word.HSCAN, key, scan.cursor, "COUNT", FIELDS_AT_ONCE))
                                .map(reply -> part(scan, reply)))
                .whilst(part -> part.more)
                .collect()
                .last()
                .map(part -> part.found);
    }

    /** How far a scan is; used by one part after the other. */
    private static final class Scan {
        private final Map<String, String> fields = new LinkedHashMap<>();
        private String cursor = "0";
    }

    /** What there is after a part. */
    private record Part(ObjectNode found, boolean more) {}

    private Part part(Scan scan, RedisReply reply) {
        if (!(reply instanceof RedisReply.Items(var parts)
                && parts.size() == 2
                && parts.getFirst() instanceof RedisReply.Bytes(var next)
                && parts.getLast() instanceof RedisReply.Items(var pairs)
                && pairs.size() % 2 == 0)) {
            throw new RedisReplies.Invalid("a part of a hash is not what it should be");
        }
        for (int i = 0; i < pairs.size(); i += 2) {
            scan.fields.put(utf8(pairs.get(i)), utf8(pairs.get(i + 1)));
        }
        scan.cursor = next.toString(StandardCharsets.UTF_8);
        ObjectNode found = cut(scan.fields);
        return new Part(
                found, !scan.cursor.equals("0") && !found.path("truncated").asBoolean());
    }

    private ObjectNode cut(Map<String, String> fields) {
        ObjectNode values = object();
        long left = (long) resultBytesMax - RESULT_FRAME_BYTES;
        for (Map.Entry<String, String> field : fields.entrySet()) {
            left -= quoted(field.getKey()) + quoted(field.getValue()) + 2;
            if (left < 0 || values.size() == FIELDS_MAX) {
                break;
            }
            values.put(field.getKey(), field.getValue());
        }
        if (values.isEmpty() && !fields.isEmpty()) {
            throw answerTooLarge();
        }
        ObjectNode found = object();
        found.set("values", values);
        return found.put("count", values.size()).put("truncated", values.size() < fields.size());
    }

    /** How many bytes it has as JSON. */
    private static long quoted(String text) {
        return bytes(JsonNodeFactory.instance.textNode(text).toString());
    }

    private static long bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8).length;
    }

    private ObjectNode found(RedisReply reply) {
        if (reply instanceof RedisReply.Nothing) {
            return object().put("found", false).putNull("value");
        }
        String value = utf8(reply);
        if (quoted(value) > resultBytesMax - RESULT_FRAME_BYTES) {
            throw answerTooLarge();
        }
        return object().put("found", true).put("value", value);
    }

    private static ObjectNode object() {
        return JsonNodeFactory.instance.objectNode();
    }

    /** The key that it has there: whatever the caller's is, it begins with the prefix. */
    private static String key(ActionRequest request, JsonNode key) {
        return request.settings().path("key_prefix").asText() + text(key);
    }

    /** Text that is some: half a pair of surrogates would be sent as something else. */
    private static String text(JsonNode node) {
        String text = node.asText();
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
            throw new RequestRefused("invalid_params", 400, "A key, field or value holds half a character.");
        }
        return text;
    }

    private static String value(JsonNode node) {
        String text = text(node);
        if (bytes(text) > VALUE_BYTES_MAX) {
            throw tooLarge();
        }
        return text;
    }

    private static RequestRefused tooLarge() {
        return new RequestRefused(
                "request_too_large", 422, "The values have more than " + VALUE_BYTES_MAX + " bytes; send less.");
    }

    private static RequestRefused answerTooLarge() {
        return new RequestRefused("answer_too_large", 422, "The value is larger than a result may be.");
    }

    private static Optional<String> ttl(ActionRequest request) {
        JsonNode ttl = request.params().path("ttl_seconds");
        JsonNode settings = request.settings();
        if (!ttl.isIntegralNumber()) {
            if (settings.path("ttl_required").asBoolean()) {
                throw RequestRefused.notAllowed("The connection wants ttl_seconds with everything that is written.");
            }
            return Optional.empty();
        }
        int most = settings.path("ttl_seconds_max").asInt(TTL_MAX);
        if (ttl.asLong() > most) {
            throw RequestRefused.notAllowed("The connection allows ttl_seconds up to " + most + ".");
        }
        return Optional.of(Long.toString(ttl.asLong()));
    }

    private static Uni<RedisReply> one(RedisLink link, RedisCommand command) {
        return exchange(link, List.of(command)).map(replies -> unlessFault(replies.getFirst()));
    }

    private static Uni<List<RedisReply>> exchange(RedisLink link, List<RedisCommand> commands) {
        return uni(() -> link.send(commands));
    }

    private static <T> Uni<T> uni(Supplier<Future<T>> work) {
        return Uni.createFrom().completionStage(() -> work.get().toCompletionStage());
    }

    private static RedisReply unlessFault(RedisReply reply) {
        if (reply instanceof RedisReply.Fault fault) {
            throw new Refusal(fault);
        }
        return reply;
    }

    private static long count(RedisReply reply) {
        if (reply instanceof RedisReply.Count(var value)) {
            return value;
        }
        throw new RedisReplies.Invalid("a count is none");
    }

    private static String utf8(RedisReply reply) {
        if (!(reply instanceof RedisReply.Bytes(var bytes))) {
            throw new RedisReplies.Invalid("a text is none");
        }
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes.getBytes()))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new RequestRefused("not_text", 422, "What is there is not text (UTF-8), and nothing else is given.");
        }
    }

    private Uni<RedisLink> connect(ActionRequest request) {
        return hosts.resolve(request.settings().path("host").asText())
                .chain(address -> connect(request, address))
                .call(link -> greet(request, link)
                        .onFailure()
                        .invoke(link::close)
                        .onCancellation()
                        .invoke(link::close));
    }

    private Uni<RedisLink> connect(ActionRequest request, InetAddress address) {
        JsonNode settings = request.settings();
        Duration limit = request.timeout().compareTo(CONNECT_LIMIT) < 0 ? request.timeout() : CONNECT_LIMIT;
        NetClientOptions options = new NetClientOptions()
                .setConnectTimeout(Math.toIntExact(limit.toMillis()))
                .setTcpNoDelay(true)
                .setSslHandshakeTimeout(limit.toMillis())
                .setSslHandshakeTimeoutUnit(TimeUnit.MILLISECONDS)
                // The name is held against the certificate by NamedTrust.
                .setHostnameVerificationAlgorithm("");
        StoreHosts.trust(settings).ifPresent(trust -> options.setSsl(true).setTrustOptions(TrustOptions.wrap(trust)));
        NetClient client = vertx.createNetClient(options);
        // The address that was checked; the name is for a server that has several certificates.
        SocketAddress to = SocketAddress.inetSocketAddress(settings.path("port").asInt(PORT), address.getHostAddress());
        String host = settings.path("host").asText();
        boolean name = host.chars().anyMatch(Character::isLetter);
        Promise<RedisLink> promise = Promise.promise();
        Runnable abandon = () -> {
            if (promise.tryFail(unreachable(host))) {
                client.close();
            }
        };
        long timer = vertx.setTimer(limit.toMillis(), _ -> abandon.run());
        (name ? client.connect(to, host) : client.connect(to)).onComplete(connected -> {
            vertx.cancelTimer(timer);
            if (connected.failed()) {
                abandon.run();
                return;
            }
            RedisLink link = new RedisLink(client, connected.result(), resultBytesMax);
            if (!promise.tryComplete(link)) {
                link.close();
            }
        });
        return uni(promise::future).onCancellation().invoke(() -> {
            abandon.run();
            // Should it have come at this moment, nobody has it.
            promise.future().onSuccess(RedisLink::close);
        });
    }

    private static RequestRefused unreachable(String host) {
        return new RequestRefused(
                "unreachable",
                502,
                "The server at " + host + " could not be connected to, or its certificate is not trusted.");
    }

    /** Says who one is, and which of its databases is meant. */
    private static Uni<RedisReply> greet(ActionRequest request, RedisLink link) {
        JsonNode settings = request.settings();
        String password = request.credentials().path("password").asText();
        String database = Integer.toString(settings.path("database").asInt(0));
        List<RedisCommand> commands = new ArrayList<>();
        if (!password.isEmpty()) {
            String user = settings.path("username").asText();
            commands.add(RedisCommand.of(
                    RedisCommand.Word.AUTH, user.isEmpty() ? List.of(password) : List.of(user, password)));
        }
        commands.add(RedisCommand.of(RedisCommand.Word.SELECT, database));
        return exchange(link, commands).map(replies -> {
            if (!password.isEmpty() && replies.getFirst() instanceof RedisReply.Fault) {
                throw invalidAuth();
            }
            return unlessFault(replies.getLast());
        });
    }

    /** What the server says of it may show a part of it, and is not passed on. */
    private static RequestRefused invalidAuth() {
        return new RequestRefused("invalid_auth", 409, "The server does not take the connection's credentials.");
    }

    private static ActionResult ended(Throwable failure, boolean writing, ActionRequest request) {
        return switch (failure) {
            case RequestRefused refused -> refused.result();
            case Refusal refusal -> said(refusal.fault, request);
            case Exception _
            when writing -> new ActionResult.Unknown("The connection to the server was lost while it wrote.");
            case RedisReplies.TooLarge _ -> answerTooLarge().result();
            case RedisReplies.Invalid _ ->
                ActionResult.refused("bad_answer", "What answers there does not speak as Redis does.", 502);
            case io.smallrye.mutiny.TimeoutException _ ->
                ActionResult.refused("timeout", "The server took too long.", 504);
            default -> ActionResult.refused("connection_lost", "The connection to the server was lost.", 502);
        };
    }

    private static ActionResult said(RedisReply.Fault fault, ActionRequest request) {
        return switch (fault.kind()) {
            case "NOAUTH", "WRONGPASS" -> invalidAuth().result();
            case "NOPERM" -> ActionResult.refused("forbidden", "The user of the connection may not do that.", 403);
            case "MOVED", "ASK", "CROSSSLOT" ->
                ActionResult.refused(
                        "redirected", "The key is on another server of a cluster, which is not followed.", 409);
            case "READONLY" ->
                ActionResult.refused("connection_invalid", "The server is a replica, which takes no writes.", 409);
            case "OOM" -> ActionResult.refused("quota_exceeded", "The server has no memory left for more.", 409);
            case "LOADING", "BUSY", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "MISCONF", "NOREPLICAS" ->
                ActionResult.refused("unavailable", "The server says: " + fault.kind() + "; try again later.", 502);
            default ->
                ActionResult.refused(
                        "rejected",
                        "The server says: " + CredentialScrub.shown(fault.text(), request.credentials()),
                        422);
        };
    }

    /** How many connections wait for the next call. */
    int idle() {
        return sessions.idle();
    }

    @Override
    public void close() {
        sessions.close();
        hosts.close();
    }
}
