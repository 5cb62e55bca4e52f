package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.math.BigInteger;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.spec.RSAPrivateCrtKeySpec;
import java.security.spec.RSAPrivateKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Firestore's actions against a server that keeps documents as its REST API does, and one that makes tokens of signed assertions. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class FirebaseTest {
    private static final String TOKEN = "ya29.canary-access-token";
    private static final String ROOT = "/v1/projects/demo/databases/(default)/documents";
    private static final String CREDENTIALS = Calls.texts(Map.of("access_token", TOKEN));

    private final Vertx vertx = Vertx.vertx();
    private final Map<String, JsonObject> documents = new ConcurrentHashMap<>();
    private KeyPair keys;
    private LocalServer firestore;
    private LocalServer tokens;
    private Calls calls;
    private String settings;

    @BeforeAll
    void start() throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
        generator.initialize(2048);
        keys = generator.generateKeyPair();
        firestore = LocalServer.start(vertx, this::answer);
        tokens = LocalServer.start(vertx, this::exchange);
        calls = new Calls(vertx, "firebase");
        settings = Calls.texts(Map.of("project_id", "demo", "base_url", "http://firebase.test:" + firestore.port()));
    }

    @AfterAll
    void stop() {
        calls.close();
        firestore.close();
        tokens.close();
        vertx.close();
    }

    private static void error(HttpServerResponse response, int code, String status, String message) {
        LocalServer.json(
                response,
                code,
                new JsonObject()
                        .put(
                                "error",
                                new JsonObject()
                                        .put("code", code)
                                        .put("message", message)
                                        .put("status", status))
                        .encode());
    }

    private void answer(LocalServer.Received request, HttpServerResponse response) {
        String path = URLDecoder.decode(request.path(), StandardCharsets.UTF_8);
        if (!Arrays.asList("Bearer " + TOKEN, "Bearer owner").contains(request.header("authorization"))) {
            error(response, 401, "UNAUTHENTICATED", "Request had invalid authentication credentials.");
        } else if (!path.startsWith(ROOT)) {
            error(
                    response,
                    404,
                    "NOT_FOUND",
                    "The database (default) does not exist for project other Please visit https://console.cloud.google.com to add one.");
        } else if (path.endsWith(":listCollectionIds")) {
            LocalServer.json(response, 200, "{\"collectionIds\":[\"users\"]}");
        } else if (path.endsWith(":runQuery")) {
            JsonArray found = new JsonArray();
            new TreeMap<>(documents).values().forEach(each -> found.add(new JsonObject().put("document", each)));
            found.add(new JsonObject().put("readTime", "2026-03-01T00:00:00Z"));
            LocalServer.json(response, 200, found.encode());
        } else {
            document(request, path.substring("/v1/".length()), response);
        }
    }

    private void document(LocalServer.Received request, String name, HttpServerResponse response) {
        switch (request.method()) {
            case "GET" -> {
                JsonObject found = documents.get(name);
                if (found == null) {
                    error(response, 404, "NOT_FOUND", "Document \"" + name + "\" not found.");
                } else {
                    LocalServer.json(response, 200, found.encode());
                }
            }
            case "PATCH" -> {
                JsonObject fields = request.json().getJsonObject("fields");
                JsonObject before = documents.get(name);
                JsonObject kept = request.uri().contains("updateMask") && before != null
                        ? before.getJsonObject("fields").copy().mergeIn(fields, true)
                        : fields;
                JsonObject document = new JsonObject()
                        .put("name", name)
                        .put("fields", kept)
                        .put("createTime", "2026-03-01T00:00:00.000000Z")
                        .put("updateTime", "2026-03-01T00:00:01.000000Z");
                documents.put(name, document);
                LocalServer.json(response, 200, document.encode());
            }
            case "DELETE" -> {
                documents.remove(name);
                LocalServer.json(response, 200, "{}\n");
            }
            default -> error(response, 400, "INVALID_ARGUMENT", "no such method");
        }
    }

    private void exchange(LocalServer.Received request, HttpServerResponse response) {
        Map<String, String> form = new TreeMap<>();
        for (String pair : request.body().split("&", -1)) {
            String[] parts = pair.split("=", 2);
            form.put(parts[0], URLDecoder.decode(parts[1], StandardCharsets.UTF_8));
        }
        String[] parts = form.getOrDefault("assertion", "").split("\\.", -1);
        JsonObject claims = new JsonObject(new String(Base64.getUrlDecoder().decode(parts[1]), StandardCharsets.UTF_8));
        boolean right = form.getOrDefault("grant_type", "").equals("urn:ietf:params:oauth:grant-type:jwt-bearer")
                && claims.getString("iss").equals("plane@demo.iam.gserviceaccount.com")
                && claims.getString("aud").equals("http://tokens.test:" + tokens.port() + "/token")
                && claims.getLong("exp") - claims.getLong("iat") == 3600
                && verified(parts[0] + "." + parts[1], parts[2]);
        if (right) {
            LocalServer.json(
                    response,
                    200,
                    "{\"access_token\":\"" + TOKEN + "\",\"expires_in\":3599,\"token_type\":\"Bearer\"}");
        } else {
            LocalServer.json(
                    response, 400, "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT Signature.\"}");
        }
    }

    private boolean verified(String signed, String signature) {
        try {
            Signature check = Signature.getInstance("SHA256withRSA");
            check.initVerify(keys.getPublic());
            check.update(signed.getBytes(StandardCharsets.US_ASCII));
            return check.verify(Base64.getUrlDecoder().decode(signature));
        } catch (GeneralSecurityException e) {
            return false;
        }
    }

    private static String pem(PrivateKey key) {
        return "-----BEGIN PRIVATE KEY-----\n"
                + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(key.getEncoded())
                + "\n-----END PRIVATE KEY-----\n";
    }

    private JsonNode done(String action, String params) {
        return Calls.done(calls.call(action, settings, CREDENTIALS, params));
    }

    @Test
    void putsGetsMergesAndDeletesADocument() {
        String data =
                "{\"name\":\"Ada\",\"born\":1815,\"score\":1.5,\"tags\":[\"a\",null,true],\"at\":{\"$timestamp\":\"2026-01-02T03:04:05Z\"},\"where\":{\"city\":\"London\"}}";

        var put = done("firebase.doc.put", "{\"collection\":\"users\",\"doc_id\":\"ada\",\"data\":" + data + "}");
        assertThat(put.path("document").path("data")).hasToString(data);
        assertThat(firestore.last().json().getJsonObject("fields").getJsonObject("born"))
                .isEqualTo(new JsonObject("{\"integerValue\":\"1815\"}"));

        var got = done("firebase.doc.get", "{\"collection\":\"users\",\"doc_id\":\"ada\"}");
        assertThat(got.path("found").asBoolean()).isTrue();
        assertThat(got.path("document").path("id").asText()).isEqualTo("ada");
        assertThat(got.path("document").path("path").asText()).isEqualTo("users/ada");
        assertThat(got.path("document").path("data")).hasToString(data);

        var merged = done(
                "firebase.doc.put",
                "{\"collection\":\"users\",\"doc_id\":\"ada\",\"merge\":true,\"data\":{\"born\":1816,\"where\":{\"the street\":\"x\"}}}");
        assertThat(firestore.last().uri())
                .endsWith("?updateMask.fieldPaths=born&updateMask.fieldPaths=where.%60the%20street%60");
        assertThat(merged.path("document").path("data").path("name").asText()).isEqualTo("Ada");
        assertThat(merged.path("document").path("data").path("born").asInt()).isEqualTo(1816);

        assertThat(done("firebase.doc.delete", "{\"collection\":\"users\",\"doc_id\":\"ada\"}"))
                .isEqualTo(Calls.object("{\"deleted\":true}"));
        assertThat(done("firebase.doc.get", "{\"collection\":\"users\",\"doc_id\":\"ada\"}"))
                .isEqualTo(Calls.object("{\"document\":null,\"found\":false}"));
    }

    @Test
    void doesNotTakeAMissingDatabaseForAMissingDocument() {
        String other =
                Calls.texts(Map.of("project_id", "other", "base_url", "http://firebase.test:" + firestore.port()));

        var refused = Calls.refused(
                calls.call("firebase.doc.get", other, CREDENTIALS, "{\"collection\":\"users\",\"doc_id\":\"ada\"}"));

        assertThat(refused.code()).isEqualTo("not_found");
        assertThat(refused.message()).contains("does not exist for project other");
    }

    @Test
    void queriesACollectionInsideADocument() {
        done("firebase.doc.put", "{\"collection\":\"users/bob/orders\",\"doc_id\":\"1\",\"data\":{\"n\":1}}");

        var result = done(
                "firebase.doc.query",
                "{\"collection\":\"users/bob/orders\",\"where\":[{\"field\":\"n\",\"op\":\">=\",\"value\":1},[\"state\",\"in\",[\"a\",\"b\"]]],"
                        + "\"order_by\":[\"-n\",{\"field\":\"state\",\"direction\":\"asc\"}],\"limit\":5}");

        assertThat(URLDecoder.decode(firestore.last().uri(), StandardCharsets.UTF_8))
                .isEqualTo(ROOT + "/users/bob:runQuery");
        assertThat(firestore.last().json())
                .isEqualTo(
                        new JsonObject(
                                "{\"structuredQuery\":{\"from\":[{\"collectionId\":\"orders\"}],\"where\":{\"compositeFilter\":{\"op\":\"AND\",\"filters\":["
                                        + "{\"fieldFilter\":{\"op\":\"GREATER_THAN_OR_EQUAL\",\"field\":{\"fieldPath\":\"n\"},\"value\":{\"integerValue\":\"1\"}}},"
                                        + "{\"fieldFilter\":{\"op\":\"IN\",\"field\":{\"fieldPath\":\"state\"},\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"a\"},{\"stringValue\":\"b\"}]}}}}]}},"
                                        + "\"orderBy\":[{\"direction\":\"DESCENDING\",\"field\":{\"fieldPath\":\"n\"}},{\"direction\":\"ASCENDING\",\"field\":{\"fieldPath\":\"state\"}}],\"limit\":5}}"));
        assertThat(result.path("count").asInt())
                .isEqualTo(result.path("documents").size())
                .isPositive();
        assertThat(result.path("documents").findValuesAsText("path")).contains("users/bob/orders/1");
    }

    @Test
    void queriesAGroupOfCollectionsAndNothingMoreThanAHundred() {
        done(
                "firebase.doc.query",
                "{\"collection\":\"users\",\"collection_group\":\"orders\",\"where\":{\"field\":\"x\",\"op\":\"==\",\"value\":null}}");

        assertThat(firestore.last().json())
                .isEqualTo(
                        new JsonObject(
                                "{\"structuredQuery\":{\"from\":[{\"collectionId\":\"orders\",\"allDescendants\":true}],"
                                        + "\"where\":{\"unaryFilter\":{\"op\":\"IS_NULL\",\"field\":{\"fieldPath\":\"x\"}}},\"limit\":100}}"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"collection\":\"users/bob\"}",
                "{\"collection\":\"users\",\"where\":[{\"field\":\"n\",\"op\":\"LIKE\",\"value\":1}]}",
                "{\"collection\":\"users\",\"where\":\"n = 1\"}",
                "{\"collection\":\"users/../../../x\"}",
                "{\"collection\":\"users\",\"order_by\":{\"field\":\"n\",\"direction\":\"up\"}}"
            })
    void refusesAQueryThatIsNone(String params) {
        int before = firestore.received().size();

        assertThat(Calls.refused(calls.call("firebase.doc.query", settings, CREDENTIALS, params))
                        .status())
                .isEqualTo(400);
        assertThat(firestore.received()).hasSize(before);
    }

    @Test
    void pings() {
        assertThat(done("firebase.ping", "{}")).isEqualTo(Calls.object("{\"ok\":true}"));
        assertThat(Calls.refused(calls.call(
                                "firebase.ping", settings, Calls.texts(Map.of("access_token", "another token")), "{}"))
                        .code())
                .isEqualTo("invalid_auth");
    }

    @Test
    void isTheOwnerAtAnEmulator() {
        String emulator = settings.replaceFirst("}$", ",\"emulator\":true}");

        Calls.done(calls.call("firebase.ping", emulator, "{}", "{}"));

        assertThat(firestore.last().header("authorization")).isEqualTo("Bearer owner");
    }

    private String account(String key, String email) {
        return Calls.texts(Map.of(
                "project_id",
                "demo",
                "base_url",
                "http://firebase.test:" + firestore.port(),
                "client_email",
                email,
                "token_url",
                "http://tokens.test:" + tokens.port() + key));
    }

    /** The private key itself goes nowhere, and one token serves many calls. */
    @Test
    void changesAServiceAccountsSignatureIntoATokenOnce() {
        String account = account("/token", "plane@demo.iam.gserviceaccount.com");
        String credentials = Calls.texts(Map.of("private_key", pem(keys.getPrivate())));
        int before = tokens.received().size();

        Calls.done(calls.call("firebase.ping", account, credentials, "{}"));
        Calls.done(calls.call("firebase.ping", account, credentials, "{}"));

        assertThat(firestore.last().header("authorization")).isEqualTo("Bearer " + TOKEN);
        assertThat(tokens.received()).hasSize(before + 1);
        assertThat(tokens.last().body()).doesNotContain("PRIVATE");
    }

    @Test
    void saysThatAServiceAccountIsNotTaken() {
        var wrong = Calls.refused(calls.call(
                "firebase.ping",
                account("/token", "other@demo.iam.gserviceaccount.com"),
                Calls.texts(Map.of("private_key", pem(keys.getPrivate()))),
                "{}"));
        var none = Calls.refused(calls.call(
                "firebase.ping",
                account("/token", "plane@demo.iam.gserviceaccount.com"),
                Calls.texts(Map.of("private_key", "not a key, but a canary of some length 0123456789")),
                "{}"));

        assertThat(wrong.code()).isEqualTo("invalid_auth");
        assertThat(none.code()).isEqualTo("invalid_auth");
        assertThat(none.message()).contains("private_key").doesNotContain("canary");
    }

    private ActionResult.Refused refusedWith(RSAPrivateKeySpec key) throws GeneralSecurityException {
        int before = tokens.received().size();
        PrivateKey made = KeyFactory.getInstance("RSA").generatePrivate(key);
        var refused = Calls.refused(calls.call(
                "firebase.ping",
                account("/token", "plane@demo.iam.gserviceaccount.com"),
                Calls.texts(Map.of("private_key", pem(made))),
                "{}"));
        assertThat(refused.code()).isEqualTo("invalid_auth");
        assertThat(refused.status()).isEqualTo(409);
        assertThat(refused.message()).contains("private_key");
        assertThat(tokens.received()).hasSize(before);
        return refused;
    }

    /** Seen to fail: with keys of any length, which were signed with. */
    @ParameterizedTest
    @ValueSource(ints = {1_024, 2_040, 4_104, 8_192, 16_384})
    void signsWithNoKeyThatIsTooShortOrTooLong(int bits) throws GeneralSecurityException {
        BigInteger modulus = BigInteger.ONE.shiftLeft(bits - 1).setBit(0);

        assertThat(refusedWith(new RSAPrivateKeySpec(modulus, modulus.shiftRight(1)))
                        .message())
                .contains("has " + bits + " bits: give an RSA key of 2048 to 4096");
    }

    /** Seen to fail: with only the modulus looked at. */
    @Test
    void signsWithNoKeyWhosePartsAreLongerThanTheKey() throws GeneralSecurityException {
        BigInteger modulus = BigInteger.ONE.shiftLeft(2_047).setBit(0);
        BigInteger much = BigInteger.ONE.shiftLeft(30_000).setBit(0);

        refusedWith(new RSAPrivateKeySpec(modulus, much));
        refusedWith(new RSAPrivateCrtKeySpec(
                modulus, BigInteger.TWO.add(BigInteger.ONE), modulus, much, modulus, modulus, modulus, modulus));
    }

    /** A key of which nothing is right but its length. */
    @Test
    void saysOfAKeyThatCannotBeSignedWithThatItIsNone() throws GeneralSecurityException {
        BigInteger modulus = BigInteger.ONE.shiftLeft(2_047).setBit(0);
        BigInteger three = BigInteger.valueOf(3);

        refusedWith(new RSAPrivateCrtKeySpec(modulus, three, three, three, three, three, three, three));
    }

    @Test
    void signsWithTheLongestKeyThatAccountsAreGiven() throws GeneralSecurityException {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
        generator.initialize(4_096);
        int before = tokens.received().size();

        // Signed, and not the key that the account has.
        Calls.refused(calls.call(
                "firebase.ping",
                account("/token", "plane@demo.iam.gserviceaccount.com"),
                Calls.texts(
                        Map.of("private_key", pem(generator.generateKeyPair().getPrivate()))),
                "{}"));

        assertThat(tokens.received()).hasSize(before + 1);
    }
}
