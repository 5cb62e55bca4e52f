package io.aiel.plane.gateway.identity;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.gateway.EmbeddedServers;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import jakarta.inject.Inject;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Whatever goes wrong before or inside a resource method, the answer is a problem document. */
@QuarkusTest
@QuarkusTestResource(EmbeddedServers.class)
class ProblemDocumentsTest {
    @Inject
    @ConfigProperty(name = "quarkus.http.test-port")
    int port;

    @Inject
    Bootstrap bootstrap;

    private Plane plane;

    @BeforeEach
    void signIn() {
        plane = new Plane("http://127.0.0.1:" + port, Plane.await(bootstrap::ensureDevelopment));
    }

    /** Meant to fail when broken by letting {@code ActionFilter} pass a method without action: 200. */
    @Test
    void deniesAResourceMethodThatNamesNoAction() {
        assertProblem(plane.get("/v1/careless"), 403, "PERMISSION_DENIED");
        assertProblem(plane.as("").get("/v1/careless"), 401, "UNAUTHENTICATED");
    }

    @Test
    void hidesTheCauseOfAFault() {
        Plane.Answer answer = plane.post("/v1/careless", "");

        assertProblem(answer, 500, "INTERNAL");
        assertThat(answer.body()).doesNotContain("secret", "IllegalState");
    }

    @Test
    void answersAnUnknownPath() {
        assertProblem(plane.get("/v1/no/such/path"), 404, "NOT_FOUND");
        assertProblem(plane.as("").get("/v1/no/such/path"), 404, "NOT_FOUND");
    }

    @Test
    void answersAWrongMethod() {
        assertProblem(plane.send("PUT", "/v1/auth/me", ""), 405, "METHOD_NOT_ALLOWED");
    }

    @Test
    void answersAWrongMediaType() {
        assertProblem(
                plane.send("POST", "/v1/tokens", "<a/>", "Content-Type", "text/xml"), 415, "UNSUPPORTED_MEDIA_TYPE");
        assertProblem(plane.send("GET", "/v1/auth/me", "", "Accept", "image/png"), 406, "NOT_ACCEPTABLE");
    }

    @Test
    void saysWhereJsonIsMalformed() {
        Plane.Answer answer = plane.post("/v1/tokens", "{\n  \"name\": nonsense\n}");

        assertProblem(answer, 400, "MALFORMED_REQUEST");
        assertThat(answer.text("detail")).contains("Line 2");
    }

    /** Found by fuzzing MCP's messages: it looks like JSON in UTF-32, and ends in the middle of a character. Seen failing (500) without its mapper. */
    @Test
    void refusesBytesThatAreNoText() {
        assertProblem(plane.post("/v1/tokens", "\0\0\0{{Q"), 400, "MALFORMED_REQUEST");
    }

    @Test
    void namesAFieldOfTheWrongKindAndAnUnknownOne() {
        Plane.Answer wrong = plane.post("/v1/tokens", "{\"name\": {}}");
        Plane.Answer unknown = plane.post("/v1/tokens", "{\"nmae\": \"x\"}");

        assertProblem(wrong, 400, "VALIDATION_ERROR");
        assertThat(wrong.text("detail")).startsWith("/name");
        assertProblem(unknown, 400, "VALIDATION_ERROR");
        assertThat(unknown.text("detail")).startsWith("/nmae");
    }

    @Test
    void refusesJsonThatIsNestedTooDeeply() {
        assertProblem(
                plane.post(
                        "/v1/workspaces/demo/projects",
                        "{\"slug\": \"x\", \"settings\": " + "[".repeat(5_000) + "]".repeat(5_000) + "}"),
                400,
                "MALFORMED_REQUEST");
    }

    @Test
    void asksForABodyWhereThereIsNone() {
        assertProblem(plane.post("/v1/workspaces", ""), 400, "VALIDATION_ERROR");
    }

    /** Over a plain socket, since a client that is still sending may miss the answer. */
    @Test
    void refusesABodyThatAnnouncesItselfAsTooLargeWithoutReadingIt() throws IOException {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.setSoTimeout(10_000);
            socket.getOutputStream()
                    .write("POST /v1/workspaces HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"
                            .getBytes(StandardCharsets.US_ASCII));

            String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

            assertThat(answer).startsWith("HTTP/1.1 413").contains("application/problem+json", "PAYLOAD_TOO_LARGE");
        }
    }

    @Test
    void echoesASaneRequestIdAndReplacesAnother() {
        assertThat(plane.send("GET", "/v1/auth/me", "", "X-Request-Id", "mine-1")
                        .header("x-request-id"))
                .contains("mine-1");
        assertThat(plane.send("GET", "/v1/auth/me", "", "X-Request-Id", "not sane")
                        .header("x-request-id"))
                .hasValueSatisfying(id -> assertThat(id).startsWith("req_"));
        assertThat(plane.as("").get("/q/metrics").header("x-request-id")).isPresent();
    }

    private static void assertProblem(Plane.Answer answer, int status, String code) {
        assertThat(answer.status()).as(answer.body()).isEqualTo(status);
        assertThat(answer.header("content-type").orElse("")).startsWith("application/problem+json");
        assertThat(answer.code()).isEqualTo(code);
        assertThat(answer.json().path("error").path("code").asText()).isEqualTo(code);
        assertThat(answer.header("x-request-id")).isPresent();
    }
}
