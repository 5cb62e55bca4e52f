package io.aiel.plane.callers;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.SharedPlane;
import java.io.ByteArrayOutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The limits that {@code docs/reference/api.md} promises: one below and at the limit taken, one above refused by name. */
@Tag("callers")
@ExtendWith(SharedPlane.class)
class LimitsTest {
    private static final int BODY_MAX = 6 * 1024 * 1024;
    private static final int HEAD_MAX = 16 * 1024;
    private static final int LINE_MAX = 8 * 1024;
    private static final int DEPTH_MAX = 1_000;
    private static final int TOKENS_MAX = 500_000;

    @ParameterizedTest
    @CsvSource({"-1, false, 400", "0, false, 400", "1, false, 413", "-1, true, 400", "0, true, 400", "1, true, 413"})
    void takesABodyUpToItsLimitWhetherItsLengthIsAnnouncedOrNot(
            int more, boolean chunked, int status, PackagedPlane plane) {
        // A document that is read to its end and then found to have an unknown name, so that nothing is made.
        String begin = "{\"nothing\": [\"";
        String end = "\"]}";
        byte[] body = (begin + text(BODY_MAX + more - begin.length() - end.length()) + end)
                .getBytes(StandardCharsets.US_ASCII);
        assertThat(body).hasSize(BODY_MAX + more);

        Wire.Answer answer = post(plane, "/v1/workspaces/demo/projects/hello/executions", body, chunked);

        assertThat(answer.status()).as(answer.head() + answer.body()).isEqualTo(status);
        assertThat(answer.header("Content-Type")).contains("json");
        if (status == 413) {
            assertThat(answer.header("Content-Type")).isEqualTo("application/problem+json");
            assertThat(answer.body()).contains("PAYLOAD_TOO_LARGE", "\"bytes_max\":" + BODY_MAX);
        } else {
            assertThat(answer.body()).contains("VALIDATION_ERROR");
        }
    }

    /** Texts of a megabyte, since one text has a limit of its own. */
    private static String text(int length) {
        StringBuilder text = new StringBuilder(length);
        String next = "\",\"";
        while (text.length() < length) {
            int left = length - text.length();
            if (left > 1_000_000 + next.length()) {
                text.append("a".repeat(1_000_000)).append(next);
            } else {
                text.append("a".repeat(left));
            }
        }
        return text.toString();
    }

    private static Wire.Answer post(PackagedPlane plane, String path, byte[] body, boolean chunked) {
        byte[] head = Wire.head(
                "POST " + path + " HTTP/1.1",
                "Host: plane",
                "Connection: close",
                "Authorization: Bearer " + plane.client().token(),
                "Content-Type: application/json",
                chunked ? "Transfer-Encoding: chunked" : "Content-Length: " + body.length);
        return new Wire(plane.uri()).send(head, chunked ? chunked(body) : body);
    }

    private static byte[] chunked(byte[] body) {
        ByteArrayOutputStream chunks = new ByteArrayOutputStream();
        int size = 8_000;
        for (int from = 0; from < body.length; from += size) {
            int length = Math.min(size, body.length - from);
            chunks.writeBytes((Integer.toHexString(length) + "\r\n").getBytes(StandardCharsets.US_ASCII));
            chunks.write(body, from, length);
            chunks.writeBytes("\r\n".getBytes(StandardCharsets.US_ASCII));
        }
        chunks.writeBytes("0\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
        return chunks.toByteArray();
    }

    /** A body that nobody reads has its limit too, and a body without a token is not read at all. */
    @Test
    void endsAConnectionOnWhichABodyGoesOnAfterItsAnswer(PackagedPlane plane) {
        byte[] body = new byte[BODY_MAX + 1];

        Wire.Answer answer = new Wire(plane.uri())
                .send(
                        Wire.head(
                                "POST /v1/workspaces HTTP/1.1",
                                "Host: plane",
                                "Content-Type: application/json",
                                "Transfer-Encoding: chunked"),
                        chunked(body),
                        "5\r\nabc".getBytes(StandardCharsets.US_ASCII));

        assertThat(answer.status()).isEqualTo(401);
    }

    /**
     * A caller keeps its connection, however large the body was that it sent. Meant to fail: without the look at what is left of a body's request in
     * {@code Bodies.end}, the connection was closed two seconds after the answer to each body above 256 KiB, under the next request.
     */
    @ParameterizedTest
    @ValueSource(ints = {1_000, 300_000})
    void keepsAConnectionAfterABodyThatWasRead(int bytes, PackagedPlane plane) throws Exception {
        byte[] body = ("{\"nothing\": \"" + "a".repeat(bytes) + "\"}").getBytes(StandardCharsets.US_ASCII);
        byte[] request = Wire.head(
                "POST /v1/workspaces/demo/projects/hello/executions HTTP/1.1",
                "Host: plane",
                "Authorization: Bearer " + plane.client().token(),
                "Content-Type: application/json",
                "Content-Length: " + body.length);

        try (Socket socket = new Wire(plane.uri()).connect()) {
            for (int turn = 0; turn < 2; turn++) {
                socket.getOutputStream().write(request);
                socket.getOutputStream().write(body);
                assertThat(new String(socket.getInputStream().readNBytes(12), StandardCharsets.US_ASCII))
                        .as("the begin of answer %d", turn + 1)
                        .isEqualTo("HTTP/1.1 400");
                // Longer than the caller of a body that goes on after its answer has.
                Thread.sleep(2_500);
                socket.getInputStream().skipNBytes(socket.getInputStream().available());
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"-1, 200", "0, 200", "1, 431"})
    void takesHeadersUpToTheirLimit(int more, int status, PackagedPlane plane) {
        // The codec counts the header lines without their line ends.
        List<String> others = List.of(
                "Host: plane",
                "Connection: close",
                "Authorization: Bearer " + plane.client().token());
        int used = others.stream().mapToInt(String::length).sum();
        String name = "X-Long: ";
        String filler = name + "a".repeat(HEAD_MAX + more - used - name.length());

        Wire.Answer answer =
                new Wire(plane.uri()).send(Wire.head("GET /v1/auth/me HTTP/1.1", String.join("\r\n", others), filler));

        assertThat(answer.status()).as(answer.head()).isEqualTo(status);
    }

    @ParameterizedTest
    @CsvSource({"-1, 200", "0, 200", "1, 414"})
    void takesARequestLineUpToItsLimit(int more, int status, PackagedPlane plane) {
        String begin = "GET /v1/auth/me?x=";
        String end = " HTTP/1.1";
        String line = begin + "a".repeat(LINE_MAX + more - begin.length() - end.length()) + end;

        Wire.Answer answer = new Wire(plane.uri())
                .send(Wire.head(
                        line,
                        "Host: plane",
                        "Connection: close",
                        "Authorization: Bearer " + plane.client().token()));

        assertThat(answer.status()).as(answer.head()).isEqualTo(status);
    }

    @ParameterizedTest
    @CsvSource({"-1, VALIDATION_ERROR", "0, VALIDATION_ERROR", "1, MALFORMED_REQUEST"})
    void takesJsonUpToItsDepth(int more, String code, PackagedPlane plane) {
        // The object around it is one level.
        int depth = DEPTH_MAX + more - 1;

        Answer answer =
                plane.demo().execute("{\"action\": \"none\", \"x\": " + "[".repeat(depth) + "]".repeat(depth) + "}");

        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.errorCode()).as(answer.text()).isEqualTo(code);
    }

    @ParameterizedTest
    @CsvSource({"-1, VALIDATION_ERROR", "0, VALIDATION_ERROR", "1, MALFORMED_REQUEST"})
    void takesJsonUpToItsNumberOfParts(int more, String code, PackagedPlane plane) {
        // { "action" "none" "x" [ … ] } are seven.
        int values = TOKENS_MAX + more - 7;

        Answer answer = plane.demo().execute("{\"action\": \"none\", \"x\": [1" + ",1".repeat(values - 1) + "]}");

        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.errorCode()).as(answer.text()).isEqualTo(code);
    }

    @ParameterizedTest
    @CsvSource({
        "/v1/tokens, 500",
        "/v1/principals, 500",
        "/v1/workspaces, 500",
        "/v1/projects, 500",
        "/v1/tenants, 500",
        "/v1/workspaces/demo/projects, 500",
        "/v1/audit/events, 500",
        "/v1/workspaces/demo/projects/hello/executions, 200",
        "/v1/workspaces/demo/projects/hello/snapshots, 200",
        "/v1/workspaces/demo/projects/hello/deployments, 200"
    })
    void takesPagesFromOneToTheirLimit(String list, int max, PackagedPlane plane) {
        for (String limit : List.of("1", Integer.toString(max - 1), Integer.toString(max))) {
            assertThat(plane.client().get(list + "?limit=" + limit).status())
                    .as(limit)
                    .isEqualTo(200);
        }
        for (String limit : List.of(
                "0",
                "-1",
                Integer.toString(max + 1),
                "2147483648",
                "99999999999999999999",
                "1.5",
                "x",
                "%201",
                "0x1")) {
            Answer answer = plane.client().get(list + "?limit=" + limit);

            assertThat(answer.status())
                    .as(list + "?limit=" + limit + ": " + answer)
                    .isEqualTo(400);
            assertThat(answer.errorCode()).isEqualTo("VALIDATION_ERROR");
            assertThat(answer.text()).contains("query:limit");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"workspaces", "tenants"})
    void takesSlugsOfOneToSixtyThreeCharacters(String what, PackagedPlane plane) {
        String unique = "l" + Long.toHexString(System.nanoTime());
        for (int length : List.of(62, 63)) {
            plane.client()
                    .post("/v1/" + what, Map.of("slug", unique + "x".repeat(length - unique.length())))
                    .expect(201);
        }

        for (String slug : List.of("", "x".repeat(64), "-a", "a-", "A", "a_b", "a b", "a\u0000", "é", "a/b", "..")) {
            refused(plane.client().post("/v1/" + what, Map.of("slug", slug)), "/slug");
        }
    }

    @Test
    void takesNamesOfOneToTwoHundredCharacters(PackagedPlane plane) {
        PlaneClient client = plane.client();
        for (int length : List.of(1, 199, 200)) {
            client.post("/v1/principals", Map.of("kind", "service", "name", "n".repeat(length)))
                    .expect(201);
        }

        for (String name : List.of("", " ", "n".repeat(201), "a\u0000b", "a\nb", "a\u001b[31m", "a\u0085b")) {
            refused(client.post("/v1/principals", Map.of("kind", "service", "name", name)), "/name");
        }
    }

    @Test
    void takesListsOfOneToSixtyFourElements(PackagedPlane plane) {
        PlaneClient client = plane.client();
        for (int count : List.of(1, 63, 64)) {
            client.post("/v1/tokens", Map.of("name", "n", "scopes", scopes(count)))
                    .expect(201);
        }

        refused(client.post("/v1/tokens", Map.of("name", "n", "scopes", scopes(65))), "/scopes");
        refused(client.post("/v1/tokens", Map.of("name", "n", "scopes", List.of())), "/scopes");
        List<Map<String, String>> grants =
                IntStream.range(0, 65).mapToObj(_ -> Map.of("role", "viewer")).toList();
        refused(client.post("/v1/principals", Map.of("kind", "service", "name", "n", "grants", grants)), "/grants");
    }

    private static List<String> scopes(int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> "files.a" + (char) ('a' + i / 26) + (char) ('a' + i % 26))
                .toList();
    }

    @Test
    void takesLifetimesFromOneSecondToTheLimit(PackagedPlane plane) {
        long max = 366L * 24 * 3600;
        for (long seconds : List.of(1L, max - 1, max)) {
            plane.client()
                    .post(
                            "/v1/tokens",
                            Map.of("name", "n", "scopes", List.of("files.read"), "expires_in_seconds", seconds))
                    .expect(201);
        }

        for (long seconds : List.of(0L, -1L, max + 1, Long.MAX_VALUE)) {
            refused(
                    plane.client()
                            .post(
                                    "/v1/tokens",
                                    Map.of(
                                            "name",
                                            "n",
                                            "scopes",
                                            List.of("files.read"),
                                            "expires_in_seconds",
                                            seconds)),
                    "/expires_in_seconds");
        }
    }

    private static void refused(Answer answer, String pointer) {
        assertThat(answer.status()).as(answer.toString()).isEqualTo(400);
        assertThat(answer.errorCode()).isEqualTo("VALIDATION_ERROR");
        assertThat(answer.text()).contains("\"pointer\":\"" + pointer + "\"");
    }

    /** RFC 9110, section 15.5.6: with the methods that would be answered. */
    @Test
    void saysWhichMethodsAPathAnswers(PackagedPlane plane) {
        for (String method : List.of("PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND")) {
            Wire.Answer answer = new Wire(plane.uri())
                    .request(
                            method,
                            "/v1/workspaces",
                            "Authorization: Bearer " + plane.client().token());

            assertThat(answer.status()).as(method).isEqualTo(405);
            assertThat(answer.header("Allow")).isEqualTo("GET, HEAD, POST");
            assertThat(answer.header("Content-Type")).isEqualTo("application/problem+json");
        }
        assertThat(plane.client().send("PUT", "/v1/tokens/x", "").headers().firstValue("Allow"))
                .contains("DELETE, GET, HEAD");
    }

    @Test
    void refusesRequestsThatCanBeReadInTwoWays(PackagedPlane plane) {
        Wire wire = new Wire(plane.uri());
        String token = "Authorization: Bearer " + plane.client().token();

        for (Wire.Answer answer : List.of(
                wire.request("GET", "/v1/auth/me", token, "Host: other"),
                wire.send(Wire.head("GET /v1/auth/me HTTP/1.1", "Connection: close", token)),
                wire.request("GET", "/v1/auth/me?x=%zz", token),
                wire.request("GET", "/v1/auth/me?x=%c0%80", token),
                wire.request("GET", "/v1/auth/me?x=%00", token),
                wire.request("GET", "/v1/auth\\me", token),
                wire.request("GET", "http://plane/v1/auth/me", token))) {
            assertThat(answer.status()).as(answer.head()).isEqualTo(400);
            // What the codec finds itself has a status and no document.
            if (!answer.body().isEmpty()) {
                assertThat(answer.header("Content-Type")).isEqualTo("application/problem+json");
                assertThat(answer.body()).contains("MALFORMED_REQUEST");
            }
        }
        assertThat(wire.request("GET", "/v1/auth/me", token, "Content-Length: 1", "Content-Length: 2")
                        .status())
                .isEqualTo(400);
        assertThat(wire.request("GET", "/v1/auth/me", token, token).status()).isEqualTo(200);
        assertThat(wire.request("GET", "/v1/auth/me", token, "X-API-Token: other")
                        .status())
                .isEqualTo(401);
    }
}
