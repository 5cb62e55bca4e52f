package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Events;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Waiting;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Readers who stand still, who are many, and who stay long: on a plane whose limits are short. */
class StreamLimitsTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);
    private static PackagedPlane plane;
    private static Project project;

    @BeforeAll
    static void start() {
        plane = PackagedPlane.start(PackagedPlane.Options.NONE.withSettings(
                "plane.http.stream-heartbeat=500ms",
                "plane.http.answer-stall-timeout=3s",
                "plane.follow.longest=3s",
                "plane.follow.per-project-max=2"));
        project = plane.newProject("limits");
        project.push(Map.of("entry_point.py", """
                import time

                from aiel_sdk import tool

                @tool("sleep")
                def sleep(ctx, payload):
                    time.sleep(payload["seconds"])
                    return {}

                @tool("endless")
                def endless(ctx, payload):
                    while True:
                        yield "x" * payload["chars"]
                        time.sleep(payload["seconds"])
                """));
        project.tool("sleep", Map.of("seconds", 0)).expect(200);
    }

    @AfterAll
    static void stop() {
        plane.close();
    }

    @Test
    void saysThatItIsThereWhenThereIsNothingToSay() {
        try (Events events = project.stream("sleep", Map.of("seconds", 2))) {
            events.rest();

            assertThat(events.comments().stream().filter(":"::equals)).hasSizeBetween(2, 4);
        }
    }

    @Test
    void endsAReaderWhoTakesNothing() throws IOException {
        try (SocketChannel _ = readerWhoTakesNothing("endless", Map.of("chars", 100_000, "seconds", 0))) {
            List<JsonNode> ended = Waiting.until(
                    LIMIT,
                    () -> project.client()
                            .get(project.path() + "/executions?status=cancelled&capability=endless")
                            .expect(200)
                            .path("executions")
                            .valueStream()
                            .toList(),
                    found -> !found.isEmpty(),
                    "the end of an execution whose reader takes nothing");

            assertThat(ended.getFirst().path("error_code").asText()).isEqualTo("CANCELLED");
        }
    }

    private static SocketChannel readerWhoTakesNothing(String tool, Map<String, ?> event) throws IOException {
        URI base = project.client().base();
        String body = PlaneClient.text(Project.longRequest(tool, event));
        SocketChannel channel = SocketChannel.open();
        channel.setOption(StandardSocketOptions.SO_RCVBUF, 4096);
        channel.connect(new InetSocketAddress(base.getHost(), base.getPort()));
        ByteBuffer bytes = ByteBuffer.wrap(("POST " + project.path() + "/executions HTTP/1.1\r\nHost: "
                        + base.getAuthority() + "\r\nAuthorization: Bearer "
                        + project.client().token()
                        + "\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\nContent-Length: "
                        + body.length() + "\r\n\r\n" + body)
                .getBytes(StandardCharsets.US_ASCII));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
        return channel;
    }

    @Test
    void sendsAFollowerAwayAfterItsTimeAndTakesItUpAgain() {
        try (Events run = project.stream("sleep", Map.of("seconds", 6))) {
            String path = project.path() + "/executions/"
                    + run.next().orElseThrow().json().path("execution_id").asText() + "/events";
            List<Events.Event> records;
            try (Events first = Events.get(project.client(), path)) {
                records = first.rest();
            }
            String last = records.getLast().id();
            assertThat(records.getLast().json().path("type").asText()).doesNotContain("finished");

            List<Events.Event> more;
            do {
                try (Events again = Events.get(project.client(), path, "Last-Event-ID", last)) {
                    more = again.rest();
                }
            } while (more.isEmpty());

            assertThat(more).hasSize(1);
            assertThat(more.getFirst().json().path("type").asText()).contains("finished");
            assertThat(Integer.parseInt(more.getFirst().id())).isEqualTo(Integer.parseInt(last) + 1);
            run.rest();
        }
    }

    @Test
    void takesOnlySoManyFollowersOfAProject() {
        try (Events run = project.stream("sleep", Map.of("seconds", 2))) {
            String path = project.path() + "/executions/"
                    + run.next().orElseThrow().json().path("execution_id").asText() + "/events";
            try (Events first = Events.get(project.client(), path);
                    Events second = Events.get(project.client(), path);
                    Events third = Events.get(project.client(), path)) {
                assertThat(first.status()).isEqualTo(200);
                assertThat(second.status()).isEqualTo(200);
                assertThat(third.status()).isEqualTo(429);
                assertThat(third.header("Retry-After")).isEqualTo("5");
                assertThat(third.json().path("code").asText()).isEqualTo("RATE_LIMITED");
            }
            // Whoever leaves makes room.
            Waiting.until(
                    LIMIT,
                    () -> {
                        try (Events later = Events.get(project.client(), path)) {
                            return later.status();
                        }
                    },
                    status -> status == 200,
                    "room for a follower");
            run.rest();
        }
    }
}
