package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.GrpcClient;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Waiting;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/**
 * gRPC's listener with limits of its own, stopping, and switched off.
 *
 * <p>Seen to fail: while the context that ends a stream was looked for where gRPC does not hand it out, neither a reader who took
 * nothing nor a call without a token was ever cut off.
 */
class GrpcServerTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);
    private static final int CONNECTIONS_MAX = 8;

    private final GrpcClient client = GrpcClient.install();

    @Test
    void boundsWhatItsCallersHoldAndAnswersThemBeforeItStops() throws Exception {
        try (PackagedPlane plane = PackagedPlane.start(PackagedPlane.Options.NONE.withSettings(
                "plane.grpc.answer-stall-timeout=3S",
                "plane.grpc.tokenless-max=4S",
                "plane.grpc.connections-max=" + CONNECTIONS_MAX))) {
            Project project = plane.newProject("grpc");
            project.push(Map.of("entry_point.py", """
                    import time

                    from aiel_sdk import tool

                    @tool("sleep")
                    def sleep(ctx, payload):
                        time.sleep(payload["seconds"])
                        return "slept"

                    @tool("endless")
                    def endless(ctx, payload):
                        while True:
                            yield "x" * 100_000
                    """));
            Waiting.until(
                    LIMIT, plane::printed, printed -> printed.contains("gRPC        " + plane.grpc()), "the address");
            assertThat(sleep(plane, project, 0).at("/response/result").asText()).isEqualTo("slept");

            cutsOffAReaderWhoTakesNothing(plane, project);
            endsACallWithoutAToken(plane);
            closesConnectionsBeyondTheLimit(plane, project);
            answersACallThatRunsWhenItIsStopped(plane, project);
        }
    }

    private JsonNode sleep(PackagedPlane plane, Project project, int seconds) {
        return client.call(plane, "ExecutionService", "Invoke", request(project, "sleep", Map.of("seconds", seconds)));
    }

    private static Map<String, Object> request(Project project, String name, Map<String, ?> input) {
        return Map.of(
                "workspace",
                project.workspace(),
                "project",
                project.id(),
                "kind",
                "KIND_TOOL",
                "name",
                name,
                "input",
                input);
    }

    private void cutsOffAReaderWhoTakesNothing(PackagedPlane plane, Project project) {
        Map<String, Object> step = new LinkedHashMap<>();
        step.put("do", "stream");
        step.put("request", request(project, "endless", Map.of()));
        step.put("pause", 8);
        step.put("keep", false);

        JsonNode seen = client.run(plane, plane.client().token(), List.of(step)).path(0);

        assertThat(seen.path("code").asText()).as(seen.toString()).isEqualTo("CANCELLED");
        Waiting.until(
                LIMIT,
                () -> project.client()
                        .get(project.path() + "/executions?status=cancelled&capability=endless")
                        .expect(200)
                        .path("executions")
                        .size(),
                ended -> ended == 1,
                "the end of an execution whose reader takes nothing");
    }

    private void endsACallWithoutAToken(PackagedPlane plane) {
        JsonNode seen = client.run(plane, "", List.of(Map.of("do", "watch", "timeout", 40)))
                .path(0);

        assertThat(seen.path("code").asText()).as(seen.toString()).isEqualTo("CANCELLED");
        assertThat(seen.path("seen").path(0).asText()).isEqualTo("SERVING");
    }

    private void closesConnectionsBeyondTheLimit(PackagedPlane plane, Project project) throws IOException {
        int port = Integer.parseInt(plane.grpc().replaceFirst(".*:", ""));
        List<Socket> open = new ArrayList<>();
        try {
            int closed = 0;
            for (int i = 0; i < CONNECTIONS_MAX + 3; i++) {
                Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
                open.add(socket);
                closed += isClosed(socket) ? 1 : 0;
            }
            assertThat(closed).isEqualTo(3);
        } finally {
            for (Socket socket : open) {
                socket.close();
            }
        }
        Waiting.until(
                LIMIT,
                () -> sleep(plane, project, 0),
                answer -> answer.has("response"),
                "a call when the others have gone");
    }

    /** The server's settings come at once to whoever may stay. */
    private static boolean isClosed(Socket socket) throws IOException {
        socket.setSoTimeout(5_000);
        try {
            return socket.getInputStream().read() < 0;
        } catch (java.net.SocketException e) {
            return true;
        }
    }

    private void answersACallThatRunsWhenItIsStopped(PackagedPlane plane, Project project) throws Exception {
        CompletableFuture<JsonNode> answer = CompletableFuture.supplyAsync(() -> sleep(plane, project, 4));
        Waiting.until(
                LIMIT,
                () -> project.client()
                        .get(project.path() + "/executions?status=running&capability=sleep")
                        .expect(200)
                        .path("executions")
                        .size(),
                running -> running == 1,
                "a running execution");

        plane.signal("TERM");

        assertThat(answer.get(20, TimeUnit.SECONDS).at("/response/result").asText())
                .as(answer.get().toString())
                .isEqualTo("slept");
    }

    @Test
    void isNotThereWhenItIsSwitchedOff() {
        try (PackagedPlane plane =
                PackagedPlane.start(PackagedPlane.Options.NONE.withVariable("PLANE_GRPC_ENABLED", "false"))) {
            int port = Integer.parseInt(plane.grpc().replaceFirst(".*:", ""));
            assertThat(refuses(port)).isTrue();
            Waiting.until(LIMIT, plane::printed, printed -> printed.contains("gRPC        is off"), "what it says");
        }
    }

    private static boolean refuses(int port) {
        try (Socket _ = new Socket(InetAddress.getLoopbackAddress(), port)) {
            return false;
        } catch (java.net.ConnectException e) {
            return true;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
