package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import io.aiel.plane.hydrator.egress.CheckedResolver;
import io.aiel.plane.registry.input.InputCheck;
import io.vertx.core.Handler;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.net.NetServer;
import io.vertx.core.net.NetServerOptions;
import io.vertx.core.net.NetSocket;
import io.vertx.core.net.PfxOptions;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * {@code mongodb.*} through the real driver against a server that speaks MongoDB's protocol (mongo-java-server: no mongod can be had in the build), with
 * what hostile callers would send, and against servers that misbehave.
 */
class MongoActionRunnerTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration LIMIT = Duration.ofSeconds(10);
    private static final int RESULT_BYTES = 50_000;
    private static final Set<String> ALLOWED = Set.of("127.0.0.1", "localhost");
    private static final MongoServer SERVER = new MongoServer(new MemoryBackend());

    private static Vertx vertx = Vertx.vertx();
    private static MongoActionRunner runner = runner(ALLOWED);
    private static int port;

    @TempDir
    Path folder;

    @BeforeAll
    static void start() {
        InetSocketAddress address = SERVER.bind();
        port = address.getPort();
    }

    @AfterAll
    static void stop() {
        runner.close();
        SERVER.shutdownNow();
        vertx.close().toCompletionStage().toCompletableFuture().join();
    }

    @BeforeEach
    void fill() {
        for (String collection : List.of("victim", "things")) {
            done(run("mongodb.delete", params(Map.of("collection", collection, "filter", Map.of(), "many", true))));
        }
        done(run("mongodb.insert", """
                {"collection": "victim", "documents": [{"_id": 1, "name": "first", "n": 1}, {"_id": 2, "name": "second", "n": 2}]}"""));
    }

    private static MongoActionRunner runner(Set<String> privateHosts) {
        return new MongoActionRunner(
                vertx,
                new CheckedResolver(privateHosts, LIMIT),
                new IntegrationSettings(
                        Optional.empty(),
                        privateHosts,
                        100,
                        600,
                        16,
                        256,
                        LIMIT,
                        LIMIT,
                        RESULT_BYTES,
                        LIMIT,
                        LIMIT,
                        4,
                        Duration.ofMillis(300),
                        LIMIT));
    }

    private static ActionRequest request(
            String action, String params, Map<String, ?> settings, Map<String, String> credentials, Duration timeout) {
        Map<String, Object> all =
                new LinkedHashMap<>(Map.of("host", "127.0.0.1", "port", port, "database", "shop", "ssl", "disable"));
        all.putAll(settings);
        return new ActionRequest(
                "conn_1",
                "mongodb",
                action,
                JSON.valueToTree(all),
                JSON.valueToTree(credentials),
                object(params),
                timeout,
                Optional.empty(),
                Deltas.NOBODY);
    }

    private static ObjectNode object(String json) {
        try {
            return (ObjectNode) JSON.readTree(json);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(e);
        }
    }

    private static ActionResult run(ActionRequest request) {
        return runner.run(request).await().atMost(LIMIT.plusSeconds(5));
    }

    private static ActionResult run(String action, String params) {
        return run(action, params, Map.of());
    }

    private static ActionResult run(String action, String params, Map<String, ?> settings) {
        return run(request(action, params, settings, Map.of(), LIMIT));
    }

    private static JsonNode done(ActionResult result) {
        assertThat(result).as(result.toString()).isInstanceOf(ActionResult.Done.class);
        return ((ActionResult.Done) result).result();
    }

    private static ActionResult.Refused refused(ActionResult result) {
        assertThat(result).as(result.toString()).isInstanceOf(ActionResult.Refused.class);
        return (ActionResult.Refused) result;
    }

    private static String params(Map<String, ?> params) {
        return JSON.valueToTree(params).toString();
    }

    private static JsonNode find(String params) {
        return done(run("mongodb.find", params));
    }

    private static String victims() {
        return find("{\"collection\": \"victim\", \"sort\": {\"_id\": 1}}")
                .path("documents")
                .toString();
    }

    private static final String UNTOUCHED =
            "[{\"_id\":1,\"name\":\"first\",\"n\":1},{\"_id\":2,\"name\":\"second\",\"n\":2}]";

    @Test
    void answersThePing() {
        assertThat(done(run("mongodb.ping", "{}")).toString()).isEqualTo("{\"ok\":true}");
    }

    @Test
    void findsWhatTheFilterNames() {
        assertThat(
                        find("{\"collection\": \"victim\", \"filter\": {\"n\": {\"$gt\": 1}}, \"projection\": {\"name\": 1, \"_id\": 0}}")
                                .toString())
                .isEqualTo("{\"documents\":[{\"name\":\"second\"}],\"count\":1,\"truncated\":false}");
        assertThat(
                        find("{\"collection\": \"victim\", \"filter\": {\"$or\": [{\"name\": {\"$regex\": \"^FIR\", \"$options\": \"i\"}}, {\"n\": 9}]}}")
                                .path("count")
                                .asInt())
                .isEqualTo(1);
        assertThat(find("{\"collection\": \"victim\", \"sort\": {\"n\": -1}, \"skip\": 1}")
                        .path("documents")
                        .path(0)
                        .path("_id")
                        .asInt())
                .isEqualTo(1);
        assertThat(find("{\"collection\": \"none\"}").path("count").asInt()).isZero();
    }

    @Test
    void writesEachTypeAsExtendedJson() {
        String document =
                "{\"_id\":{\"$oid\":\"0123456789abcdef01234567\"},\"big\":9007199254740993,\"double\":0.1,\"small\":7,"
                        + "\"decimal\":{\"$numberDecimal\":\"1.50\"},\"at\":{\"$date\":\"2026-01-02T03:04:05.678Z\"},"
                        + "\"bytes\":{\"$binary\":{\"base64\":\"AP8=\",\"subType\":\"00\"}},\"nothing\":null,\"yes\":true,"
                        + "\"list\":[1,\"ü\",{\"a\":[]}],\"nan\":{\"$numberDouble\":\"NaN\"}}";

        JsonNode inserted =
                done(run("mongodb.insert", "{\"collection\": \"things\", \"documents\": [" + document + "]}"));

        assertThat(inserted.toString()).isEqualTo("{\"inserted\":1,\"ids\":[{\"$oid\":\"0123456789abcdef01234567\"}]}");
        assertThat(find("{\"collection\": \"things\", \"filter\": {\"_id\": {\"$oid\": \"0123456789abcdef01234567\"}}}")
                        .path("documents")
                        .path(0)
                        .toString())
                .isEqualTo(document);
    }

    @Test
    void givesIdsToDocumentsWithout() {
        JsonNode inserted =
                done(run("mongodb.insert", "{\"collection\": \"things\", \"documents\": [{\"a\": 1}, {\"a\": 2}]}"));

        assertThat(inserted.path("ids").path(1).path("$oid").asText()).hasSize(24);
        assertThat(find("{\"collection\": \"things\"}").path("count").asInt()).isEqualTo(2);
    }

    @Test
    void changesOneDocumentUnlessToldManyAndPutsOneIn() {
        assertThat(done(run(
                                "mongodb.update",
                                "{\"collection\": \"victim\", \"filter\": {\"n\": {\"$gt\": 0}}, \"update\": {\"$set\": {\"x\": 1}}}"))
                        .toString())
                .isEqualTo("{\"matched\":1,\"modified\":1,\"upserted_id\":null}");
        assertThat(done(run(
                                "mongodb.update",
                                "{\"collection\": \"victim\", \"filter\": {}, \"many\": true, \"update\": {\"$inc\": {\"n\": 1}, \"$push\": {\"l\": {\"$each\": [1, 2]}}}}"))
                        .path("modified")
                        .asInt())
                .isEqualTo(2);
        assertThat(done(run(
                                "mongodb.update",
                                "{\"collection\": \"victim\", \"filter\": {\"_id\": 7}, \"upsert\": true, \"update\": {\"$set\": {\"n\": 7}}}"))
                        .path("upserted_id")
                        .asInt())
                .isEqualTo(7);
        assertThat(done(run("mongodb.delete", "{\"collection\": \"victim\", \"filter\": {\"n\": {\"$gt\": 0}}}"))
                        .toString())
                .isEqualTo("{\"deleted\":1}");
        assertThat(done(run("mongodb.delete", "{\"collection\": \"victim\", \"filter\": {}, \"many\": true}"))
                        .path("deleted")
                        .asInt())
                .isEqualTo(2);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"collection\": \"victim\", \"filter\": {}, \"update\": {\"$set\": {\"n\": 0}}}",
                "{\"collection\": \"victim\", \"filter\": {}, \"many\": false, \"update\": {\"$set\": {\"n\": 0}}}",
            })
    void takesAnEmptyFilterOnlyOfThoseWhoMeanAll(String params) {
        assertThat(refused(run("mongodb.update", params)).code()).isEqualTo("invalid_params");
        assertThat(refused(run("mongodb.delete", params)).code()).isEqualTo("invalid_params");
        assertThat(victims()).isEqualTo(UNTOUCHED);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"$where\": \"sleep(1000) || true\"}",
                "{\"$where\": {\"$code\": \"true\"}}",
                "{\"a\": {\"$code\": \"true\"}}",
                "{\"a\": {\"$code\": \"true\", \"$scope\": {}}}",
                "{\"$expr\": {\"$function\": {\"body\": \"x\", \"args\": [], \"lang\": \"js\"}}}",
                "{\"$expr\": {\"$eq\": [1, 1]}}",
                "{\"$and\": [{\"$or\": [{\"$where\": \"true\"}]}]}",
                "{\"a\": {\"$not\": {\"$where\": \"true\"}}}",
                "{\"a\": {\"$elemMatch\": {\"$expr\": true}}}",
                "{\"$accumulator\": {}}",
                "{\"$lookup\": {\"from\": \"secrets\"}}",
                "{\"$out\": \"victim\"}",
                "{\"$merge\": \"victim\"}",
                "{\"$jsonSchema\": {}}",
                "{\"$comment\": \"x\"}",
                "{\"a\": {\"$ref\": \"x\", \"$id\": 1}}",
                "{\"$new\": 1}",
                "{\"$Where\": \"true\"}",
                "{\"$\\u0077here\": \"true\"}",
                "{\"$where\\u0000\": \"true\"}",
            })
    void takesNoOperatorThatIsNotListed(String filter) {
        for (String action : List.of("mongodb.find", "mongodb.delete", "mongodb.update")) {
            ActionResult result = run(
                    action,
                    "{\"collection\": \"victim\", \"many\": true, \"update\": {\"$set\": {\"x\": 1}}, \"filter\": "
                            + filter + "}");

            assertThat(refused(result).status()).as(action).isIn(400, 403);
        }
        assertThat(victims()).isEqualTo(UNTOUCHED);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"name\": \"replaced\"}",
                "{\"$set\": {\"x\": 1}, \"name\": \"mixed\"}",
                "{\"$where\": \"true\"}",
                "{\"$set\": {\"x\": {\"$function\": {}}}}",
                "{\"$set\": {\"x\": {\"$code\": \"true\"}}}",
                "{\"$set\": {\"$where\": 1}}",
                "{\"$pull\": {\"l\": {\"$where\": \"true\"}}}",
                "{\"$replaceWith\": {}}",
                "{}",
            })
    void takesNoUpdateThatIsNotOneOfValues(String update) {
        ActionResult result = run(
                "mongodb.update", "{\"collection\": \"victim\", \"filter\": {\"_id\": 1}, \"update\": " + update + "}");

        assertThat(refused(result).status()).isIn(400, 403);
        assertThat(victims()).isEqualTo(UNTOUCHED);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"projection\": {\"x\": {\"$function\": {}}}",
                "\"projection\": {\"x\": \"$name\"}",
                "\"projection\": {\"x\": {\"y\": {\"$function\": {}}}}",
                "\"projection\": {\"x\": {\"$elemMatch\": {\"$where\": \"true\"}}}",
                "\"projection\": {\"x\": {\"$slice\": [{\"$function\": {}}]}}",
                "\"projection\": {\"$expr\": 1}",
                "\"sort\": {\"$natural\": 1}",
                "\"sort\": {\"x\": {\"$function\": {}}}",
                "\"sort\": {\"x\": \"1\"}",
            })
    void computesNothingWhileItFinds(String wish) {
        assertThat(refused(run("mongodb.find", "{\"collection\": \"victim\", " + wish + "}"))
                        .status())
                .isIn(400, 403);
    }

    @ParameterizedTest
    @ValueSource(strings = {"system.users", "system.js", "$cmd", "victim$x", "victim\0", "victim.$cmd"})
    void reachesNoneOfTheServersOwnCollections(String collection) {
        assertThat(refused(run("mongodb.find", params(Map.of("collection", collection))))
                        .code())
                .isEqualTo("not_allowed");
        assertThat(refused(run(
                                "mongodb.insert",
                                params(Map.of("collection", collection, "documents", List.of(Map.of("a", 1))))))
                        .code())
                .isEqualTo("not_allowed");
    }

    @Test
    void reachesListedCollectionsOnly() {
        Map<String, ?> listed = Map.of("collections", List.of("things"));

        for (String[] call : new String[][] {
            {"mongodb.find", "{\"collection\": \"victim\"}"},
            {"mongodb.insert", "{\"collection\": \"victim\", \"documents\": [{}]}"},
            {
                "mongodb.update",
                "{\"collection\": \"victim\", \"filter\": {\"_id\": 1}, \"update\": {\"$set\": {\"n\": 0}}}"
            },
            {"mongodb.delete", "{\"collection\": \"victim\", \"filter\": {\"_id\": 1}}"},
        }) {
            assertThat(refused(run(call[0], call[1], listed)).code())
                    .as(call[0])
                    .isEqualTo("not_allowed");
        }
        done(run("mongodb.find", "{\"collection\": \"things\"}", listed));
        assertThat(victims()).isEqualTo(UNTOUCHED);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"$oid\": \"xyz\"}",
                "{\"$date\": \"yesterday\"}",
                "{\"$numberDecimal\": \"many\"}",
                "{\"$binary\": {\"base64\": \"*\", \"subType\": \"00\"}}",
                "1e400000000000000",
                "123456789012345678901234567890",
            })
    void saysWhatIsNoExtendedJson(String value) {
        ActionResult result = run("mongodb.find", "{\"collection\": \"victim\", \"filter\": {\"a\": " + value + "}}");

        if (result instanceof ActionResult.Refused refused) {
            assertThat(refused.code()).isEqualTo("invalid_params");
            assertThat(refused.message()).doesNotContain("org.bson", "Exception");
        } else {
            assertThat(done(result).path("count").asInt()).isZero();
        }
    }

    @Test
    void takesNothingTooDeep() {
        String deep = "{\"a\":".repeat(150) + "1" + "}".repeat(150);

        assertThat(refused(run("mongodb.insert", "{\"collection\": \"things\", \"documents\": [" + deep + "]}"))
                        .code())
                .isEqualTo("invalid_params");
        assertThat(refused(run("mongodb.find", "{\"collection\": \"things\", \"filter\": " + deep + "}"))
                        .code())
                .isEqualTo("invalid_params");
    }

    private static void insertMany(int count, int size) {
        List<Map<String, ?>> documents = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            documents.add(Map.of("_id", i, "x", "x".repeat(size)));
        }
        assertThat(done(run("mongodb.insert", params(Map.of("collection", "things", "documents", documents))))
                        .path("inserted")
                        .asInt())
                .isEqualTo(count);
    }

    @Test
    void cutsDocumentsAndSaysSo() {
        insertMany(250, 1);

        JsonNode usual = find("{\"collection\": \"things\"}");
        JsonNode all = find("{\"collection\": \"things\", \"limit\": 250}");
        JsonNode bySetting =
                done(run("mongodb.find", "{\"collection\": \"things\", \"limit\": 250}", Map.of("max_documents", 3)));

        assertThat(usual.path("count").asInt()).isEqualTo(100);
        assertThat(usual.path("truncated").asBoolean()).isTrue();
        assertThat(all.path("count").asInt()).isEqualTo(250);
        assertThat(all.path("truncated").asBoolean()).isFalse();
        assertThat(bySetting.path("count").asInt()).isEqualTo(3);
        assertThat(bySetting.path("truncated").asBoolean()).isTrue();
    }

    @Test
    void cutsBytesAndSaysSo() {
        insertMany(10, 9_000);

        JsonNode found = find("{\"collection\": \"things\"}");

        assertThat(found.path("count").asInt()).isEqualTo(5);
        assertThat(found.path("truncated").asBoolean()).isTrue();
        assertThat(found.toString().getBytes(StandardCharsets.UTF_8).length).isLessThan(RESULT_BYTES);

        done(run(
                "mongodb.insert",
                params(Map.of(
                        "collection", "things", "documents", List.of(Map.of("_id", -1, "x", "x".repeat(60_000)))))));
        assertThat(refused(run("mongodb.find", "{\"collection\": \"things\", \"filter\": {\"_id\": -1}}"))
                        .code())
                .isEqualTo("answer_too_large");
        assertThat(refused(run(
                                "mongodb.insert",
                                params(Map.of(
                                        "collection",
                                        "things",
                                        "documents",
                                        List.of(Map.of("x", "x".repeat(1 << 20)))))))
                        .code())
                .isEqualTo("request_too_large");
    }

    @Test
    void saysHowFarAnInsertCame() {
        ActionResult none =
                run("mongodb.insert", "{\"collection\": \"victim\", \"documents\": [{\"_id\": 1}, {\"_id\": 5}]}");
        ActionResult some = run(
                "mongodb.insert",
                "{\"collection\": \"victim\", \"documents\": [{\"_id\": 5}, {\"_id\": 1}, {\"_id\": 6}]}");

        assertThat(refused(none).code()).isEqualTo("conflict");
        assertThat(done(some).toString())
                .isEqualTo("{\"inserted\":1,\"ids\":[5],\"stopped_at\":{\"index\":1,\"reason\":\"conflict\"}}");
        assertThat(find("{\"collection\": \"victim\"}").path("count").asInt()).isEqualTo(3);
    }

    @Test
    void saysWhatTheServerRefuses() {
        ActionResult.Refused refused = refused(run(
                "mongodb.update",
                "{\"collection\": \"victim\", \"filter\": {\"_id\": 1}, \"update\": {\"$inc\": {\"name\": 1}}}"));

        assertThat(refused.code()).isEqualTo("rejected");
        assertThat(refused.status()).isEqualTo(422);
        assertThat(victims()).isEqualTo(UNTOUCHED);
    }

    @Test
    void refusesWrongCredentialsWithoutRepeatingThem() {
        // This server knows no users at all, so these are wrong in any case.
        ActionRequest request =
                request("mongodb.ping", "{}", Map.of("user", "agent"), Map.of("password", "canary-mongo-1c9e"), LIMIT);

        ActionResult.Refused refused = refused(run(request));

        assertThat(refused.code()).isEqualTo("invalid_auth");
        assertThat(refused.status()).isEqualTo(409);
        assertThat(refused.toString() + request).doesNotContain("canary");
        assertThat(refused(run(request("mongodb.ping", "{}", Map.of("user", "agent"), Map.of(), LIMIT)))
                        .code())
                .isEqualTo("invalid_auth");
    }

    @ParameterizedTest
    @ValueSource(strings = {"127.0.0.1", "localhost", "169.254.169.254", "2130706433", "127.1", "10.0.0.1", "0"})
    void connectsToNoPrivateAddressThatNoOperatorAllowed(String host) {
        MongoActionRunner strict = runner(Set.of("db.internal"));
        try {
            ActionRequest request = request("mongodb.ping", "{}", Map.of("host", host), Map.of(), LIMIT);

            assertThat(refused(strict.run(request).await().atMost(LIMIT)).code())
                    .isIn("address_refused", "unresolved");
        } finally {
            strict.close();
        }
    }

    @Test
    void keepsAConnectionForTheNextCallAndNotForLong() throws Exception {
        done(run("mongodb.ping", "{}"));
        awaitIdle(1);
        awaitIdle(0);
    }

    private static void awaitIdle(int wanted) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
        while (runner.idle() != wanted && System.nanoTime() < end) {
            TimeUnit.MILLISECONDS.sleep(10);
        }
        assertThat(runner.idle()).isEqualTo(wanted);
    }

    private static int listen(NetServer server) {
        return server.listen(0, "127.0.0.1")
                .toCompletionStage()
                .toCompletableFuture()
                .join()
                .actualPort();
    }

    /** Something between the driver and the server; at the word in what the driver sends, it does this. */
    private static NetServer between(String word, Handler<NetSocket> then) {
        return vertx.createNetServer().connectHandler(from -> {
            from.pause();
            vertx.createNetClient().connect(port, "127.0.0.1").onComplete(connected -> {
                if (connected.failed()) {
                    from.close();
                    return;
                }
                NetSocket to = connected.result();
                from.handler(part -> {
                    if (part.toString(StandardCharsets.ISO_8859_1).contains(word)) {
                        then.handle(from);
                    } else {
                        to.write(part);
                    }
                });
                from.closeHandler(_ -> to.close());
                to.handler(from::write);
                to.closeHandler(_ -> from.close());
                from.resume();
            });
        });
    }

    private static final String INSERT = "{\"collection\": \"things\", \"documents\": [{\"a\": 1}]}";

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            insert | {"collection": "things", "documents": [{"a": 1}]}
            update | {"collection": "victim", "filter": {"_id": 1}, "update": {"$set": {"n": 5}}}
            delete | {"collection": "victim", "filter": {"_id": 1}}
            """)
    void doesNotKnowWhatALostWriteDid(String word, String params) {
        NetServer cut = between("\0" + "\2" + word, NetSocket::close);
        NetServer silent = between("\0" + "\2" + word, _ -> {});
        try {
            assertThat(run(request("mongodb." + word, params, Map.of("port", listen(cut)), Map.of(), LIMIT)))
                    .isInstanceOf(ActionResult.Unknown.class);
            assertThat(run(request(
                            "mongodb." + word,
                            params,
                            Map.of("port", listen(silent)),
                            Map.of(),
                            Duration.ofMillis(700))))
                    .isInstanceOf(ActionResult.Unknown.class);
        } finally {
            cut.close();
            silent.close();
        }
        assertThat(victims()).isEqualTo(UNTOUCHED);
    }

    @Test
    void saysThatAReadWasLost() {
        NetServer cut = between("\0" + "\2find", NetSocket::close);
        NetServer silent = between("\0" + "\2find", _ -> {});
        String find = "{\"collection\": \"victim\"}";
        try {
            assertThat(refused(run(request("mongodb.find", find, Map.of("port", listen(cut)), Map.of(), LIMIT)))
                            .code())
                    .isEqualTo("connection_lost");
            assertThat(refused(run(request(
                                    "mongodb.find",
                                    find,
                                    Map.of("port", listen(silent)),
                                    Map.of(),
                                    Duration.ofMillis(700))))
                            .code())
                    .isEqualTo("timeout");
        } finally {
            cut.close();
            silent.close();
        }
    }

    @Test
    void waitsForNoSilentServerAndLeavesIt() throws Exception {
        List<NetSocket> open = new CopyOnWriteArrayList<>();
        NetServer silent = vertx.createNetServer().connectHandler(socket -> {
            open.add(socket);
            socket.handler(_ -> {});
            socket.closeHandler(_ -> open.remove(socket));
        });
        try {
            ActionResult result = run(request(
                    "mongodb.insert", INSERT, Map.of("port", listen(silent)), Map.of(), Duration.ofMillis(300)));

            assertThat(refused(result).code()).isIn("timeout", "unreachable");
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
            while (!open.isEmpty() && System.nanoTime() < end) {
                TimeUnit.MILLISECONDS.sleep(10);
            }
            assertThat(open).isEmpty();
        } finally {
            silent.close();
        }
    }

    @Test
    void saysAtOnceThatNobodyIsThere() {
        NetServer none = vertx.createNetServer().connectHandler(NetSocket::close);
        int at = listen(none);
        long began = System.nanoTime();

        ActionResult hungUp = run(request("mongodb.insert", INSERT, Map.of("port", at), Map.of(), LIMIT));
        none.close().toCompletionStage().toCompletableFuture().join();
        ActionResult nobody = run(request("mongodb.insert", INSERT, Map.of("port", at), Map.of(), LIMIT));

        assertThat(refused(hungUp).code()).isEqualTo("unreachable");
        assertThat(refused(nobody).code()).isEqualTo("unreachable");
        assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(Duration.ofSeconds(5));
    }

    @Test
    void takesNoMoreThanItsLimitFromAServer() {
        NetServer endless = between("\0" + "\2find", socket -> {
            // A message of 40 MiB, which MongoDB's own limit allows.
            byte[] header = {16, 0, (byte) 0x80, 2, 1, 0, 0, 0, 0, 0, 0, 0, (byte) 0xdd, 7, 0, 0};
            socket.write(Buffer.buffer(header));
            byte[] part = new byte[1 << 20];
            for (int i = 0; i < 40; i++) {
                socket.write(Buffer.buffer(part));
            }
        });
        try {
            ActionResult result = run(request(
                    "mongodb.find", "{\"collection\": \"victim\"}", Map.of("port", listen(endless)), Map.of(), LIMIT));

            assertThat(refused(result).code()).isEqualTo("answer_too_large");
        } finally {
            endless.close();
        }
    }

    @Test
    void verifiesTheCertificateAndItsName() throws Exception {
        Path pem = TlsTest.certificate(folder, "localhost");
        NetServer tls = vertx.createNetServer(new NetServerOptions()
                        .setSsl(true)
                        .setKeyCertOptions(new PfxOptions()
                                .setPath(folder.resolve("server.p12").toString())
                                .setPassword("changeit")))
                .connectHandler(from -> {
                    from.pause();
                    vertx.createNetClient().connect(port, "127.0.0.1").onSuccess(to -> {
                        from.handler(to::write);
                        to.handler(from::write);
                        from.closeHandler(_ -> to.close());
                        to.closeHandler(_ -> from.close());
                        from.resume();
                    });
                });
        int at = listen(tls);
        try {
            String ca = Files.readString(pem);

            assertThat(done(run(
                                    "mongodb.ping",
                                    "{}",
                                    Map.of("host", "localhost", "port", at, "ssl", "verify-full", "ca", ca)))
                            .path("ok")
                            .asBoolean())
                    .isTrue();
            assertThat(refused(run(
                                    "mongodb.ping",
                                    "{}",
                                    Map.of("host", "127.0.0.1", "port", at, "ssl", "verify-full", "ca", ca)))
                            .code())
                    .isEqualTo("unreachable");
            assertThat(refused(run("mongodb.ping", "{}", Map.of("host", "localhost", "port", at, "ssl", "verify-full")))
                            .code())
                    .isEqualTo("unreachable");
        } finally {
            tls.close();
        }
    }

    /** What the runner relies on is held against the schemas before. */
    @Test
    void hasSettingsAndParametersCheckedBefore() {
        InputCheck check = new InputCheck(100);
        Provider provider =
                new ProviderCatalogue(List.of(runner)).find("mongodb").orElseThrow();

        for (String database : List.of("admin", "local", "config", "a.b", "a/b", "$x", "")) {
            assertThat(ConnectionWish.problems(
                            check, "", provider.settings(), object(params(Map.of("host", "h", "database", database)))))
                    .as(database)
                    .isNotEmpty();
        }
        assertThat(ConnectionWish.problems(
                        check, "", provider.settings(), object("{\"host\": \"h\", \"database\": \"administration\"}")))
                .isEmpty();
        for (String[] wrong : new String[][] {
            {"mongodb.find", "{\"collection\": \"\"}"},
            {"mongodb.find", "{\"collection\": \"a\", \"limit\": 10001}"},
            {"mongodb.find", "{\"collection\": \"a\", \"aggregate\": []}"},
            {"mongodb.find", "{\"collection\": \"a\", \"filter\": [1]}"},
            {"mongodb.insert", "{\"collection\": \"a\", \"documents\": []}"},
            {"mongodb.update", "{\"collection\": \"a\", \"update\": {\"$set\": {\"a\": 1}}}"},
            {"mongodb.update", "{\"collection\": \"a\", \"filter\": {}, \"update\": [{\"$set\": {\"a\": 1}}]}"},
            {"mongodb.delete", "{\"collection\": \"a\"}"},
            {"mongodb.delete", "{\"collection\": \"a\", \"filter\": {}, \"many\": \"yes\"}"},
        }) {
            assertThat(ConnectionWish.problems(
                            check, "", provider.action(wrong[0]).orElseThrow().params(), object(wrong[1])))
                    .as(wrong[0] + wrong[1])
                    .isNotEmpty();
        }
    }
}
