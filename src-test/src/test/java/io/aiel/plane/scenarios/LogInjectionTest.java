package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.Audit;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Waiting;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Text of callers and of tenants' code with line breaks, terminal escapes and worse, in every place from which it may reach a log
 * line, a record or an answer. The plane has the access log on, which an operator may well have: it is where callers' text goes by
 * design.
 */
@Tag("callers")
class LogInjectionTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final String FORGED =
            "2099-01-01 00:00:00,000 host java[1] ERROR [forged] (main) marker-of-a-forged-record";

    /** Each as it would be written by somebody who knows the format of our log. */
    private static final Map<String, String> HOSTILE = new LinkedHashMap<>();

    static {
        HOSTILE.put("line feed", "a\n" + FORGED);
        HOSTILE.put("carriage return and line feed", "a\r\n" + FORGED);
        HOSTILE.put("carriage return", "a\r" + FORGED);
        HOSTILE.put("escape sequences", "a\u001b[2J\u001b[1;31m\u001b]0;title\u0007");
        HOSTILE.put("one-character CSI", "a\u009b31mb");
        HOSTILE.put("NUL", "a\0b");
        HOSTILE.put("backspaces", "a\b\b\b\u007f");
        HOSTILE.put("line separator", "a\u2028" + FORGED);
        HOSTILE.put("paragraph separator and next line", "a\u2029\u0085" + FORGED);
        HOSTILE.put("right to left", "a\u202egpj.exe\u2066\u2067");
        HOSTILE.put("lone surrogates", "a\ud800b\udc00");
        HOSTILE.put("no characters", "a\ufffe\uffff\ufeff");
        HOSTILE.put("quotes and braces", "a\"}\n{\"level\":\"ERROR\",\"x\":'%s%n{0}${jndi:x}\\");
        HOSTILE.put("very long", "a".repeat(1500) + "\n" + FORGED);
    }

    private static final Pattern RECORD = Pattern.compile(
            "\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d,\\d{3} \\S+ \\S+\\[\\d+\\] (FATAL|ERROR|WARN|INFO|DEBUG|TRACE) +\\[[^\\]]+\\] \\([^)]*\\) .*");

    private static final List<Answer> answers = new ArrayList<>();
    private static final List<String> runs = new ArrayList<>();
    private static final ObjectMapper JSON =
            JsonMapper.builder().enable(JsonWriteFeature.ESCAPE_NON_ASCII).build();

    private static PackagedPlane plane;
    private static Project project;

    @BeforeAll
    static void sendAll() throws IOException {
        plane = PackagedPlane.startThrough(
                List.of(
                        "env",
                        "PLANE_JAVA_OPTIONS=-Dquarkus.http.access-log.enabled=true -Dquarkus.http.access-log.pattern="
                                + "%m|%U|%q|%{i,User-Agent}|%{i,X-Request-Id}|%{i,traceparent}|%{i,X-Any}|%{i,Referer}|end-of-access"),
                PackagedPlane.freshData());
        project = plane.newProject("injection");
        project.push(Map.of("entry_point.py", """
                from aiel_sdk import tool

                @tool("say")
                def say(ctx, payload):
                    text = payload["text"]
                    ctx.log(text, **{"field": text})
                    ctx.log("event", **{"name-" + text[:50]: text})
                    print(text)
                    print(text, end="")
                    return {"text": text, text[:50]: 1}

                @tool("fail")
                def fail(ctx, payload):
                    raise ValueError(payload["text"])

                @tool("leave")
                def leave(ctx, payload):
                    raise SystemExit(payload["text"])
                """));
        for (String text : HOSTILE.values()) {
            inHeaders(text);
            inPaths(text);
            inBodies(text);
        }
    }

    @AfterAll
    static void end() {
        if (plane != null) {
            plane.close();
        }
    }

    /** By hand, since no client sends this. Bytes as UTF-8, and once more as they are in ISO 8859-1. */
    private static void inHeaders(String text) throws IOException {
        for (var charset : List.of(StandardCharsets.UTF_8, StandardCharsets.ISO_8859_1)) {
            for (String header : List.of(
                    "User-Agent",
                    "X-Request-Id",
                    "traceparent",
                    "X-Any",
                    "Referer",
                    "Authorization",
                    "Host",
                    "Cookie")) {
                String request = "GET /v1/auth/me HTTP/1.1\r\n" + (header.equals("Host") ? "" : "Host: x\r\n") + header
                        + ": " + text + "\r\nConnection: close\r\n\r\n";
                raw(request.getBytes(charset));
            }
            raw(("GET /" + text + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").getBytes(charset));
            raw((text + " / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").getBytes(charset));
        }
    }

    private static void raw(byte[] request) throws IOException {
        URI base = plane.uri();
        try (Socket socket = new Socket(base.getHost(), base.getPort())) {
            socket.setSoTimeout(10_000);
            OutputStream out = socket.getOutputStream();
            out.write(request);
            out.flush();
            socket.shutdownOutput();
            String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
            assertThat(answer)
                    .matches(text -> text.isEmpty() || text.matches("(?s)HTTP/1\\.[01] [45]\\d\\d .*"), "refused");
            assertThat(answer.split("\r\n\r\n", 2)[0]).doesNotContain("marker-of-a-forged-record\r\n", "\u001b");
        }
    }

    private static void inPaths(String text) {
        PlaneClient client = project.client();
        String in = URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
        keep(() -> client.get("/v1/" + in));
        keep(() -> client.get("/v1/workspaces/" + in + "/projects/" + in + "/executions"));
        keep(() -> client.get(project.path() + "/capabilities/tool/" + in));
        keep(() -> client.get(project.path() + "/executions?capability=" + in + "&principal=" + in + "&cursor=" + in));
        keep(() -> client.get("/v1/audit/events?principal=" + in + "&type=" + in + "&capability=" + in));
        keep(() -> client.get("/v1/tokens?principal=" + in));
        keep(() -> client.delete(project.path() + "/files/" + in));
        keep(() -> client.post(
                project.path() + "/uploads:sign?path=" + in + ".py",
                Map.of(
                        "content_type",
                        "text/x-python",
                        "expected_version",
                        0,
                        "size_bytes",
                        1,
                        "sha256",
                        "0".repeat(64))));
        keep(() -> client.get("/v1/signed/blobs/" + in + "?path=" + in + "&expires=1&signature=" + in));
    }

    private static void inBodies(String text) {
        PlaneClient client = project.client();
        keep(() -> client.post("/v1/workspaces", json(Map.of("slug", text, "name", text))));
        keep(() -> client.post("/v1/workspaces", json(Map.of(text, text))));
        keep(() -> client.post("/v1/tokens", json(Map.of("name", text, "scopes", List.of("*", text)))));
        keep(() -> client.post("/v1/principals", json(Map.of("kind", "service", "name", text))));
        keep(() -> client.post(
                "/v1/principals", json(Map.of("kind", "user", "email", text + "@example.org", "name", text))));
        keep(() -> client.post(
                project.path() + "/uploads:sign?path=ok.py",
                json(Map.of("content_type", text, "expected_version", 0, "size_bytes", 1, "sha256", "0".repeat(64)))));
        keep(() -> client.send("POST", "/v1/workspaces", "{\"slug\": \"" + text));
        for (String member : List.of("action", "kind", "handler", "environment", "snapshot")) {
            Map<String, Object> request =
                    new LinkedHashMap<>(Map.of("action", "invoke", "kind", "tool", "handler", "say"));
            request.put("event", Map.of("text", "harmless"));
            request.put(member, text);
            keep(() -> client.post(project.path() + "/executions", json(request)));
        }
        for (String member : List.of("request_id", "trace_id", "idempotency_key", text)) {
            run(Map.of(
                    "action",
                    "invoke",
                    "kind",
                    "tool",
                    "handler",
                    "say",
                    "event",
                    Map.of("text", "x"),
                    "meta",
                    Map.of(member, text)));
        }
        for (String tool : List.of("say", "fail", "leave")) {
            run(Map.of("action", "invoke", "kind", "tool", "handler", tool, "event", Map.of("text", text)));
        }
        run(Map.of("action", "invoke", "kind", "http", "http", Map.of("method", "GET", "path", "/" + text)));
        run(Map.of("action", "invoke", "kind", "mcp", "mcp", Map.of("server", text, "tool", text)));
    }

    private static void run(Map<String, ?> request) {
        Answer answer = keep(() -> project.client().post(project.path() + "/executions", json(request)));
        if (!answer.executionId().isEmpty()) {
            runs.add(answer.executionId());
        }
    }

    /** With every character beyond ASCII escaped, so that lone surrogates go out as JSON lets them. */
    private static String json(Map<String, ?> body) {
        try {
            return JSON.writeValueAsString(body);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Once more on a new connection, when the server has closed the one that a refused request came on. */
    private static Answer keep(Supplier<Answer> send) {
        Answer answer;
        try {
            answer = send.get();
        } catch (UncheckedIOException e) {
            answer = send.get();
        }
        answers.add(answer);
        return answer;
    }

    @Test
    void answersEachInWellFormedJson() {
        assertThat(answers).hasSizeGreaterThan(300).allSatisfy(answer -> {
            assertThat(answer.status()).as("%s", answer).isNotIn(502, 503);
            assertThat(answer.text().isEmpty() || answer.json().isObject())
                    .as("%s", answer)
                    .isTrue();
            answer.headers()
                    .map()
                    .values()
                    .forEach(values -> assertThat(values)
                            .allSatisfy(value -> assertThat(value.chars().anyMatch(Character::isISOControl))
                                    .isFalse()));
        });
    }

    /** User code may fail with a 500 of its own, which is an envelope. */
    @Test
    void failsForNoneOfThem() {
        assertThat(answers)
                .filteredOn(answer -> answer.status() >= 500)
                .allSatisfy(answer ->
                        assertThat(answer.errorCode()).as("%s", answer).isEqualTo("USER_CODE_ERROR"));
    }

    @Test
    void ranTheHandlersWithEachOfThem() {
        assertThat(runs)
                .as("all but lone surrogates, which are refused")
                .hasSizeGreaterThanOrEqualTo(3 * (HOSTILE.size() - 1));
    }

    @Test
    void writesOneLinePerRecordIntoTheLog() {
        String log =
                Waiting.until(LIMIT, LogInjectionTest::log, text -> text.contains("end-of-access"), "the access log");
        List<String> lines = log.lines().toList();

        assertThat(lines).hasSizeGreaterThan(300);
        assertThat(lines).allSatisfy(line -> assertThat(line).matches(RECORD));
        assertThat(lines).noneMatch(line -> line.startsWith("2099-"));
        assertThat(log.codePoints()
                        .filter(c -> c != '\n')
                        .filter(LogInjectionTest::misleads)
                        .mapToObj(Integer::toHexString))
                .isEmpty();
        assertThat(log).as("what was sent is there, shown as text").contains("\\u009b31m");
    }

    private static boolean misleads(int c) {
        int type = Character.getType(c);
        return type == Character.CONTROL
                || type == Character.FORMAT
                || type == Character.LINE_SEPARATOR
                || type == Character.PARAGRAPH_SEPARATOR
                || type == Character.SURROGATE;
    }

    /** Also well-formed UTF-8, which a log with lone surrogates is not. */
    private static String log() {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .decode(ByteBuffer.wrap(
                            Files.readAllBytes(plane.dataDirectory().resolve("logs/server.log"))))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new AssertionError("the log is no UTF-8", e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void writesOneLinePerAuditRecord() {
        String last = runs.getLast();
        project.auditOf(last, records -> records.size() >= 4, LIMIT);
        List<JsonNode> records = new Audit(project.client()).records("limit=200&order=newest");

        assertThat(records).hasSizeGreaterThan(100);
        assertThat(records).allSatisfy(record -> {
            String text = record.toString();
            assertThat(text.lines()).hasSize(1);
            assertThat(text.codePoints().anyMatch(LogInjectionTest::misleads))
                    .as(text)
                    .isFalse();
        });
    }

    @Test
    void keepsWhatHandlersLoggedAsOneEntryEach() {
        List<JsonNode> entries = new ArrayList<>();
        for (String run : runs) {
            Answer logs = project.client().get(project.path() + "/executions/" + run + "/logs");
            logs.expect(200).path("logs").forEach(entries::add);
        }

        assertThat(entries).hasSizeGreaterThan(2 * HOSTILE.size());
        assertThat(entries).allSatisfy(entry -> assertThat(entry.isObject()).isTrue());
        assertThat(entries).noneMatch(entry -> entry.path("level").asText().equals("ERROR") && entry.has("x"));
    }
}
