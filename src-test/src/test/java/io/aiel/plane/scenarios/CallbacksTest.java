package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.Audit;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Receiver;
import io.aiel.plane.fixtures.ServerCertificate;
import io.aiel.plane.fixtures.Waiting;
import io.aiel.plane.fixtures.WebhookVerifier;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/**
 * Callbacks of the packaged application to a receiver on the loopback, verified by the published library. The names that the server knows stand in
 * a file, so that one of them is allowed to be the loopback and another is not.
 */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class CallbacksTest {
    private static final Duration LIMIT = Duration.ofSeconds(40);
    private static final String SECRET_PATH = "7c1f0e-path-that-is-a-secret";
    private static final Map<String, String> CODE = Map.of("entry_point.py", """
            import time

            from aiel_sdk import tool

            @tool("work")
            def work(ctx, payload):
                time.sleep(payload.get("seconds", 0))
                if payload.get("fails"):
                    raise RuntimeError("as asked")
                return {"made": payload.get("value", 0)}
            """);

    @TempDir
    static Path scratch;

    private static Receiver receiver;
    private static Receiver secured;
    private static WebhookVerifier verifier;
    private static PackagedPlane plane;
    private static Project project;
    private static String secret;

    @BeforeAll
    static void start() throws Exception {
        verifier = WebhookVerifier.install();
        receiver = new Receiver();
        secured = new Receiver(ServerCertificate.make(scratch, "tls.test"));
        Path hosts = Files.writeString(
                scratch.resolve("hosts"),
                "127.0.0.1 localhost hooks.test slow.test inside.test tls.test liar.test "
                        + InetAddress.getLocalHost().getHostName() + "\n::1 localhost\n");
        plane = PackagedPlane.start(PackagedPlane.Options.NONE.withSettings(
                "jdk.net.hosts.file=" + hosts,
                "plane.callbacks.hosts=" + at("hooks.test") + "," + at("slow.test") + "," + at("inside.test")
                        + ",tls.test:" + secured.port() + ",liar.test:" + secured.port(),
                "plane.callbacks.private-hosts=hooks.test,slow.test,tls.test,liar.test",
                "plane.callbacks.ca-file=" + scratch.resolve(ServerCertificate.PEM),
                "plane.callbacks.retry-first=300ms",
                "plane.callbacks.attempt-timeout=6s",
                "plane.callbacks.statement-timeout=2s"));
        project = plane.demo();
        project.push(CODE);
        project.tool("work", Map.of()).expect(200);
        secret = newSecret(project);
    }

    @AfterAll
    static void stop() {
        plane.close();
        receiver.close();
        secured.close();
    }

    private static String at(String host) {
        return "http://" + host + ":" + receiver.port();
    }

    private static String newSecret(Project of) {
        return of.client()
                .post(of.path() + "/callback-secrets", "")
                .expect(201)
                .path("secret")
                .asText();
    }

    private static Answer submit(Project to, Map<String, ?> event, Map<String, ?> callback) {
        return to.execute(
                Map.of(
                        "action",
                        "invoke",
                        "kind",
                        "tool",
                        "handler",
                        "work",
                        "event",
                        event,
                        "meta",
                        Map.of("callback", callback)),
                "Prefer",
                "respond-async");
    }

    private static String queued(Map<String, ?> event, String url) {
        return submit(project, event, Map.of("url", url))
                .expect(202)
                .path("execution_id")
                .asText();
    }

    private static JsonNode callback(String id, String state) {
        return Waiting.until(
                LIMIT,
                () -> project.execution(id).path("callback"),
                callback -> callback.path("state").asText().equals(state),
                "the state " + state + " of the callback of " + id);
    }

    private static List<JsonNode> records(String what, String id) {
        return new Audit(project.client())
                .records("type=control.changed").stream()
                        .map(record -> record.at("/event/data"))
                        .filter(data -> data.path("what").asText().equals(what)
                                && data.path("subject_id").asText().equals(id))
                        .toList();
    }

    /** The official library has the last word on the signature; the record says where it went, without path and query. */
    @Test
    void tellsSignedThatAnExecutionHasEnded() {
        String target = "/ok/" + SECRET_PATH + "?token=also-a-secret";
        String id = queued(Map.of("value", 7), at("hooks.test") + target);

        Receiver.Received received = receiver.await(target, 1, LIMIT).getFirst();

        assertThat(verifier.judge(secret, received.headers(), received.body())).isEqualTo("OK");
        assertThat(verifier.judge(secret, received.headers(), received.body() + " "))
                .isNotEqualTo("OK");
        assertThat(received.headers().get("host")).isEqualTo("hooks.test:" + receiver.port());
        JsonNode told = received.json();
        assertThat(told.path("type").asText()).isEqualTo("execution.succeeded");
        assertThat(told.at("/data/execution_id").asText()).isEqualTo(id);
        assertThat(told.at("/data/status").asText()).isEqualTo("succeeded");
        assertThat(told.at("/data/links/self").asText()).isEqualTo(project.path() + "/executions/" + id);
        assertThat(told.at("/data").has("envelope")).isFalse();
        JsonNode row = callback(id, "delivered");
        assertThat(row.path("attempts").asInt()).isEqualTo(1);
        assertThat(row.path("last_status").asInt()).isEqualTo(204);
        Waiting.until(LIMIT, () -> records("callback.delivered", id), found -> found.size() == 1, "its record");
        assertThat(records("callback.delivered", id)
                        .getFirst()
                        .at("/facts/host")
                        .asText())
                .isEqualTo("hooks.test:" + receiver.port());
        assertThat(plane.printed() + project.execution(id) + new Audit(project.client()).records("execution=" + id))
                .doesNotContain(SECRET_PATH, "also-a-secret", secret);
    }

    @Test
    void sendsTheResultOnlyWhereThatIsAskedFor() {
        String id = submit(
                        project,
                        Map.of("value", 8),
                        Map.of("url", at("hooks.test") + "/ok/result", "include_result", true))
                .expect(202)
                .path("execution_id")
                .asText();

        JsonNode told = receiver.await("/ok/result", 1, LIMIT).getFirst().json();

        assertThat(told.at("/data/execution_id").asText()).isEqualTo(id);
        assertThat(told.at("/data/envelope/result/made").asInt()).isEqualTo(8);
    }

    @Test
    void tellsOfFailuresAndOfWhatWasCancelled() {
        queued(Map.of("fails", true), at("hooks.test") + "/ok/failed");
        Answer later = project.execute(
                Map.of(
                        "action",
                        "invoke",
                        "kind",
                        "tool",
                        "handler",
                        "work",
                        "event",
                        Map.of(),
                        "meta",
                        Map.of(
                                "start_at",
                                Instant.now().plusSeconds(600).toString(),
                                "callback",
                                Map.of("url", at("hooks.test") + "/ok/cancelled"))),
                "Prefer",
                "respond-async");
        project.client()
                .post(
                        project.path() + "/executions/"
                                + later.expect(202).path("execution_id").asText() + ":cancel",
                        "")
                .expect(202);

        assertThat(receiver.await("/ok/failed", 1, LIMIT)
                        .getFirst()
                        .json()
                        .path("type")
                        .asText())
                .isEqualTo("execution.failed");
        assertThat(receiver.await("/ok/cancelled", 1, LIMIT)
                        .getFirst()
                        .json()
                        .path("type")
                        .asText())
                .isEqualTo("execution.cancelled");
    }

    @Test
    void sendsTheSameMessageAgainUntilItIsTaken() {
        String id = queued(Map.of(), at("hooks.test") + "/fails/2/again");

        List<Receiver.Received> received = receiver.await("/fails/2/again", 3, LIMIT);

        assertThat(received.stream().map(Receiver.Received::id).distinct()).hasSize(1);
        assertThat(received.stream().map(Receiver.Received::body).distinct()).hasSize(1);
        assertThat(received)
                .allSatisfy(one -> assertThat(verifier.judge(secret, one.headers(), one.body()))
                        .isEqualTo("OK"));
        assertThat(callback(id, "delivered").path("attempts").asInt()).isEqualTo(3);
    }

    @Test
    void stopsWhenTheReceiverWantsNoMore() {
        String id = queued(Map.of(), at("hooks.test") + "/status/410");

        JsonNode row = callback(id, "failed");

        assertThat(row.path("attempts").asInt()).isEqualTo(1);
        assertThat(row.path("last_status").asInt()).isEqualTo(410);
        Waiting.until(LIMIT, () -> records("callback.failed", id), found -> found.size() == 1, "its record");
    }

    @Test
    void followsNoRedirect() {
        String id = queued(Map.of(), at("hooks.test") + "/moved");

        receiver.await("/moved", 2, LIMIT);

        assertThat(project.execution(id).at("/callback/last_status").asInt()).isEqualTo(307);
        assertThat(receiver.at("/ok/moved-here")).isEmpty();
    }

    /** Allowed by name, and yet it resolves to where no public name does, which no one has allowed. */
    @Test
    void connectsToNoPrivateAddress() {
        String id = queued(Map.of(), at("inside.test") + "/ok/inside");

        assertThat(errorAfterTwoAttempts(id)).isEqualTo("private_address");
        assertThat(receiver.at("/ok/inside")).isEmpty();
    }

    /** It connects to the address that it checked, and yet the certificate must be of the name. */
    @Test
    void speaksTlsWithWhomItMeans() {
        queued(Map.of(), "https://tls.test:" + secured.port() + "/ok/tls");
        String lied = queued(Map.of(), "https://liar.test:" + secured.port() + "/ok/liar");

        Receiver.Received received = secured.await("/ok/tls", 1, LIMIT).getFirst();

        assertThat(verifier.judge(secret, received.headers(), received.body())).isEqualTo("OK");
        assertThat(errorAfterTwoAttempts(lied)).isEqualTo("connection");
        assertThat(secured.at("/ok/liar")).isEmpty();
    }

    private static String errorAfterTwoAttempts(String execution) {
        return Waiting.until(
                        LIMIT,
                        () -> project.execution(execution).path("callback"),
                        callback -> callback.path("attempts").asInt() >= 2,
                        "two attempts")
                .path("last_error")
                .asText();
    }

    @Test
    void refusesWhatItMayNotCallBack() {
        Project bare = plane.newProject("callbacks-bare");
        bare.push(CODE);
        Map<String, String> expected = new LinkedHashMap<>();
        expected.put("https://elsewhere.example.com/x", "not a host that the operator");
        expected.put("http://elsewhere.example.com/x", "must be https");
        expected.put("https://hooks.test:" + receiver.port() + "/x", "not a host that the operator");
        expected.put("http://hooks.test:1/x", "must be https");
        expected.put("http://user@hooks.test:" + receiver.port() + "/x", "neither a user nor a fragment");
        expected.put("http://127.0.0.1:" + receiver.port() + "/x", "a name and not an address");
        expected.put("ftp://hooks.test/x", "an absolute URL with https");
        expected.put("nonsense", "an absolute URL with https");

        expected.forEach((url, message) -> {
            Answer answer = submit(project, Map.of(), Map.of("url", url));
            assertThat(answer.status()).as(url).isEqualTo(400);
            assertThat(answer.json().at("/error/details/errors/0/pointer").asText())
                    .isEqualTo("/meta/callback/url");
            assertThat(answer.text()).contains(message).doesNotContain(url);
        });
        Answer unsigned = submit(bare, Map.of(), Map.of("url", at("hooks.test") + "/ok"));
        assertThat(unsigned.status()).isEqualTo(400);
        assertThat(unsigned.text()).contains("needs a secret");
        Answer waited = project.execute(Map.of(
                "action",
                "invoke",
                "kind",
                "tool",
                "handler",
                "work",
                "event",
                Map.of(),
                "meta",
                Map.of("callback", Map.of("url", at("hooks.test") + "/ok"))));
        assertThat(waited.status()).isEqualTo(400);
        assertThat(waited.json().at("/error/details/errors/0/pointer").asText()).isEqualTo("/meta/callback");
    }

    @Test
    void keepsToTheHostsThatAProjectAllows() {
        Project narrow = plane.newProject("callbacks-narrow");
        narrow.push(CODE);
        newSecret(narrow);
        narrow.client()
                .send("PUT", narrow.path() + "/settings", "{\"callbacks\":{\"hosts\":[\"slow.test\"]}}")
                .expect(200);

        Answer answer = submit(narrow, Map.of(), Map.of("url", at("hooks.test") + "/ok"));

        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.text()).contains("settings of the project");
        submit(narrow, Map.of(), Map.of("url", at("slow.test") + "/ok/narrow")).expect(202);
        receiver.await("/ok/narrow", 1, LIMIT);
    }

    @Test
    void signsWithBothSecretsAfterARotation() {
        Project rotating = plane.newProject("callbacks-rotating");
        rotating.push(CODE);
        String first = newSecret(rotating);
        String second = newSecret(rotating);
        submit(rotating, Map.of(), Map.of("url", at("hooks.test") + "/ok/rotated"))
                .expect(202);

        Receiver.Received received = receiver.await("/ok/rotated", 1, LIMIT).getFirst();

        assertThat(verifier.judge(first, received.headers(), received.body())).isEqualTo("OK");
        assertThat(verifier.judge(second, received.headers(), received.body())).isEqualTo("OK");
        assertThat(verifier.judge(secret, received.headers(), received.body())).isNotEqualTo("OK");
        JsonNode listed = rotating.client()
                .get(rotating.path() + "/callback-secrets")
                .expect(200)
                .path("items");
        assertThat(listed).hasSize(2);
        assertThat(listed.path(0).has("expires_at")).isFalse();
        assertThat(listed.path(1).path("expires_at").isTextual()).isTrue();
        assertThat(listed.toString()).doesNotContain("whsec_");
    }

    @Test
    void letsNoSlowHostHoldUpAnother() {
        List<String> slow = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            slow.add(queued(Map.of(), at("slow.test") + "/silent"));
        }
        receiver.await("/silent", 4, LIMIT);

        queued(Map.of(), at("hooks.test") + "/ok/quick");

        receiver.await("/ok/quick", 1, Duration.ofSeconds(5));
        // As many at once as one host gets; what waited for no answer comes back later.
        assertThat(slow.stream()
                        .filter(id ->
                                project.execution(id).at("/callback/attempts").asInt() > 0)
                        .count())
                .isBetween(4L, 8L);
    }

    /** The server is killed while an attempt is under way, and before its outcome is known. */
    @Test
    @Order(Integer.MAX_VALUE)
    void tellsAfterAKillWhatItHadNotToldBefore() {
        String during = queued(Map.of(), at("hooks.test") + "/silent?during");
        String before = queued(Map.of(), at("hooks.test") + "/fails/2/before");
        receiver.await("/silent?during", 1, LIMIT);
        receiver.await("/fails/2/before", 1, LIMIT);

        plane.signal("KILL");
        plane.startAgain();
        project = plane.demo();

        List<Receiver.Received> again = receiver.await("/silent?during", 2, Duration.ofMinutes(1));
        assertThat(again.stream().map(Receiver.Received::id).distinct()).containsExactly("msg_" + during.substring(5));
        List<Receiver.Received> taken = receiver.await("/fails/2/before", 3, Duration.ofMinutes(1));
        assertThat(taken.stream().map(Receiver.Received::id).distinct()).containsExactly("msg_" + before.substring(5));
        assertThat(verifier.judge(
                        secret, taken.getLast().headers(), taken.getLast().body()))
                .isEqualTo("OK");
        callback(before, "delivered");
    }
}
