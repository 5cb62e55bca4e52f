package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Command;
import io.aiel.plane.fixtures.Events;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.SharedPlane;
import io.aiel.plane.fixtures.Waiting;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What an execution gives reaches its caller as it comes, in order, and costs the server no memory however slowly it is taken. */
@ExtendWith(SharedPlane.class)
class StreamingTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);
    private static final long GROWTH_BYTES_MAX = 32L << 20;
    private static final int LARGE_CHUNKS = 400;
    private static Project project;

    @BeforeAll
    static void push(PackagedPlane plane) {
        project = plane.newProject("streaming");
        project.push(Map.of("entry_point.py", """
                import asyncio
                import os
                import time

                from aiel_sdk import tool

                closed = []

                @tool("count")
                def count(ctx, payload):
                    for i in range(payload["to"]):
                        ctx.log("counts", i=i)
                        yield {"i": i}
                        time.sleep(payload.get("seconds", 0))
                    print("counted")

                @tool("count_async")
                async def count_async(ctx, payload):
                    for i in range(payload["to"]):
                        yield {"i": i}
                        await asyncio.sleep(payload.get("seconds", 0))

                @tool("plain")
                def plain(ctx, payload):
                    time.sleep(payload.get("seconds", 0))
                    return {"plain": True}

                @tool("large")
                def large(ctx, payload):
                    text = "x" * (payload["kib"] << 10)
                    for i in range(payload["chunks"]):
                        yield {"i": i, "text": text}

                @tool("endless")
                def endless(ctx, payload):
                    try:
                        while True:
                            yield "again"
                            time.sleep(0.02)
                    finally:
                        closed.append(payload["name"])

                @tool("closed")
                def was_closed(ctx, payload):
                    return closed

                @tool("fails")
                def fails(ctx, payload):
                    yield 1
                    yield 2
                    raise RuntimeError("not three")

                @tool("dies")
                def dies(ctx, payload):
                    yield 1
                    time.sleep(0.2)
                    os._exit(3)
                """));
        project.tool("plain", Map.of()).expect(200);
    }

    private static List<String> names(List<Events.Event> events) {
        return events.stream().map(Events.Event::name).toList();
    }

    private static String started(Events events) {
        Events.Event first = events.next().orElseThrow();
        assertThat(first.name()).isEqualTo("started");
        return first.json().path("execution_id").asText();
    }

    @Test
    void sendsTheFirstChunkBeforeTheHandlerEnds() {
        try (Events events = project.stream("count_async", Map.of("to", 2, "seconds", 2))) {
            assertThat(events.status()).isEqualTo(200);
            assertThat(events.header("Content-Type")).startsWith("text/event-stream");
            assertThat(events.header("Cache-Control")).isEqualTo("no-store");
            assertThat(events.header("X-Accel-Buffering")).isEqualTo("no");
            String id = started(events);
            assertThat(events.next().orElseThrow().json().path("i").asInt()).isZero();
            assertThat(project.execution(id).path("status").asText()).isEqualTo("running");

            List<Events.Event> rest = events.rest();

            assertThat(names(rest)).containsExactly("chunk", "result");
            assertThat(rest.getLast().json().path("ok").asBoolean()).isTrue();
            assertThat(rest.getLast().json().at("/meta/execution_id").asText()).isEqualTo(id);
            assertThat(rest.getLast().json().path("result").isNull()).isTrue();
            assertThat(project.execution(id).path("status").asText()).isEqualTo("succeeded");
        }
    }

    @Test
    void keepsTheOrderOfWhatTheCodeDoes() {
        try (Events events = project.stream("count", Map.of("to", 3))) {
            List<Events.Event> all = events.rest();

            assertThat(names(all))
                    .containsExactly("started", "log", "chunk", "log", "chunk", "log", "chunk", "log", "result");
            assertThat(all.stream().map(Events.Event::id))
                    .containsExactlyElementsOf(IntStream.rangeClosed(1, 9)
                            .mapToObj(Integer::toString)
                            .toList());
            assertThat(all.get(7).json().path("event").asText()).isEqualTo("counted");
            assertThat(all.get(7).json().path("level").asText()).isEqualTo("STDOUT");
        }
    }

    @Test
    void streamsAHandlerThatYieldsNothing() {
        try (Events events = project.stream("plain", Map.of())) {
            List<Events.Event> all = events.rest();

            assertThat(names(all)).containsExactly("started", "result");
            assertThat(all.getLast().json().at("/result/plain").asBoolean()).isTrue();
        }
    }

    @Test
    void answersTheListToWhoDoesNotStream() {
        JsonNode answer =
                project.execute(Project.longRequest("count", Map.of("to", 2))).expect(200);

        assertThat(answer.path("result").toString()).isEqualTo("[{\"i\":0},{\"i\":1}]");
    }

    @Test
    void saysWhatFailedAfterTheChunks() {
        try (Events events = project.stream("fails", Map.of())) {
            List<Events.Event> all = events.rest();

            assertThat(names(all)).containsExactly("started", "chunk", "chunk", "error");
            assertThat(all.getLast().json().at("/error/code").asText()).isEqualTo("USER_CODE_ERROR");
            assertThat(all.getLast().json().at("/error/message").asText()).isEqualTo("not three");
        }
    }

    @Test
    void saysThatAWorkerWasLostAfterItsChunks() {
        try (Events events = project.stream("dies", Map.of())) {
            String id = started(events);
            List<Events.Event> rest = events.rest();

            assertThat(names(rest)).containsExactly("chunk", "error");
            assertThat(rest.getLast().json().at("/error/code").asText()).isEqualTo("WORKER_LOST");
            assertThat(project.terminalRecords(id)).hasSize(1);
        }
    }

    /** Seen failing when there is always room for another event: the live heap grows by 90 MB. */
    @Test
    void keepsNothingForASlowReaderAndGivesHimAll(PackagedPlane plane) {
        try (Events warm = project.stream("large", Map.of("chunks", 40, "kib", 256))) {
            warm.rest();
        }
        long before = liveHeap(plane);
        long most = before;
        int count = 0;
        try (Events events = project.stream("large", Map.of("chunks", LARGE_CHUNKS, "kib", 256))) {
            started(events);
            for (Optional<Events.Event> next = events.next(); next.isPresent(); next = events.next()) {
                if (next.get().name().equals("chunk")) {
                    assertThat(next.get().json().path("i").asInt()).isEqualTo(count);
                    assertThat(next.get().data().length()).isGreaterThan(256 << 10);
                    count++;
                    if (count % 50 == 10) {
                        // The worker could send all of it while this looks.
                        most = Math.max(most, liveHeap(plane));
                    }
                } else {
                    assertThat(next.get().name()).isEqualTo("result");
                }
            }
        }
        System.out.printf("live heap: %,d bytes before, %,d at most while a reader was slow%n", before, most);

        assertThat(count).isEqualTo(LARGE_CHUNKS);
        assertThat(most - before).isLessThan(GROWTH_BYTES_MAX);
    }

    /** After a collection of garbage. */
    private static long liveHeap(PackagedPlane plane) {
        String histogram = Command.of(
                        Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(),
                        Long.toString(plane.server().pid()),
                        "GC.class_histogram")
                .within(LIMIT)
                .run()
                .orFail();
        Matcher total = Pattern.compile("(?m)^Total\\s+\\d+\\s+(\\d+)").matcher(histogram);
        assertThat(total.find()).as(histogram.substring(0, 200)).isTrue();
        return Long.parseLong(total.group(1));
    }

    @Test
    void stopsTheCodeOfAReaderWhoLeavesAndRecordsOneEnd() {
        String id;
        try (Events events = project.stream("endless", Map.of("name", "left"))) {
            id = started(events);
            assertThat(events.next().orElseThrow().name()).isEqualTo("chunk");
        }
        long left = System.nanoTime();

        JsonNode row = Waiting.until(
                LIMIT,
                () -> project.execution(id),
                found -> !found.path("finished_at").isNull(),
                "the end of an execution whose reader left");

        assertThat(Duration.ofNanos(System.nanoTime() - left)).isLessThan(Duration.ofSeconds(5));
        assertThat(row.path("status").asText()).isEqualTo("cancelled");
        assertThat(project.terminalRecords(id)).hasSize(1);
        assertThat(project.tool("closed", Map.of()).expect(200).path("result").toString())
                .as("the generator was closed, and its worker goes on")
                .contains("left");
    }

    @Test
    void stopsAStreamThatIsCancelledByAnother() {
        try (Events events = project.stream("endless", Map.of("name", "cancelled"))) {
            String id = started(events);
            project.client()
                    .post(project.path() + "/executions/" + id + ":cancel", "")
                    .expect(202);

            Events.Event last = events.rest().getLast();

            assertThat(last.name()).isEqualTo("error");
            assertThat(last.json().at("/error/code").asText()).isEqualTo("CANCELLED");
        }
    }

    @Test
    void answersAsEverWhatDoesNotBegin(PackagedPlane plane) {
        Object unknown = Project.longRequest("nobody", Map.of());
        String path = project.path() + "/executions";
        try (Events none = Events.post(project.client().as("aielp_wrong"), path, unknown);
                Events missing = Events.post(project.client(), path, unknown);
                Events invalid = Events.post(project.client(), path, Map.of("action", "dance"));
                Events denied = Events.post(
                        project.client().as(plane.token("reader", List.of("viewer"), List.of("execution.invoke"))),
                        path,
                        Project.longRequest("plain", Map.of()))) {
            assertThat(none.status()).isEqualTo(401);
            assertThat(none.header("Content-Type")).startsWith("application/problem+json");
            assertThat(missing.status()).isEqualTo(404);
            assertThat(missing.header("Content-Type")).startsWith("application/json");
            assertThat(missing.json().at("/error/code").asText()).isEqualTo("NOT_FOUND");
            assertThat(invalid.status()).isEqualTo(400);
            assertThat(denied.status()).isEqualTo(403);
        }
    }

    @Test
    void givesTheResultAgainUnderTheSameKey() {
        String key = "stream-" + System.nanoTime();
        try (Events first = project.stream("count", Map.of("to", 2), "Idempotency-Key", key);
                Events second = project.stream("count", Map.of("to", 2), "Idempotency-Key", key)) {
            // The second is sent when the first may still run; then it is sent again.
            Events.Event result = first.rest().getLast();
            try (Events third = project.stream("count", Map.of("to", 2), "Idempotency-Key", key)) {
                List<Events.Event> again = third.rest();

                assertThat(second.status()).isIn(200, 409);
                assertThat(third.header("Idempotency-Replayed")).isEqualTo("true");
                assertThat(names(again)).containsExactly("result");
                assertThat(again.getFirst().json()).isEqualTo(result.json());
            }
        }
    }

    @Test
    void goesOnWithoutItsReaderWhenThereIsAKeyToComeBackWith() {
        String key = "left-" + System.nanoTime();
        String id;
        try (Events events = project.stream("count", Map.of("to", 3, "seconds", 0.5), "Idempotency-Key", key)) {
            id = started(events);
        }

        JsonNode row = Waiting.until(
                LIMIT,
                () -> project.execution(id),
                found -> !found.path("finished_at").isNull(),
                "the end of an execution whose reader may come back");

        assertThat(row.path("status").asText()).isEqualTo("succeeded");
        try (Events again = project.stream("count", Map.of("to", 3, "seconds", 0.5), "Idempotency-Key", key)) {
            assertThat(again.rest().getLast().json().at("/meta/execution_id").asText())
                    .isEqualTo(id);
        }
    }

    @Test
    void followsAnExecutionsRecordsToItsEndAndGoesOnWhereAReaderWas() {
        List<Events.Event> followed = new ArrayList<>();
        String id;
        try (Events run = project.stream("plain", Map.of("seconds", 3))) {
            id = started(run);
            try (Events records = Events.get(project.client(), project.path() + "/executions/" + id + "/events")) {
                assertThat(records.status()).isEqualTo(200);
                followed.add(records.next().orElseThrow());
                assertThat(project.execution(id).path("status").asText()).isEqualTo("running");
                followed.addAll(records.rest());
                assertThat(records.comments()).contains("retry: 1000");
            }
            run.rest();
        }
        String events = project.path() + "/executions/" + id + "/events";
        JsonNode all = project.client().get(events).expect(200).path("events");

        assertThat(followed.stream().map(Events.Event::json))
                .containsExactlyElementsOf(all.valueStream().toList());
        assertThat(followed.getLast().json().path("type").asText()).contains("execution.finished");
        String middle = followed.get(1).id();
        try (Events later = Events.get(project.client(), events, "Last-Event-ID", middle);
                Events nothing = Events.get(
                        project.client(),
                        events,
                        "Last-Event-ID",
                        followed.getLast().id());
                Events wrong = Events.get(project.client(), events, "Last-Event-ID", "second");
                Events unknown = Events.get(
                        project.client(), events.replace(id, "exec_" + "0".repeat(32)), "Last-Event-ID", middle)) {
            assertThat(later.rest()).isEqualTo(followed.subList(2, followed.size()));
            assertThat(nothing.status()).isEqualTo(204);
            assertThat(wrong.status()).isEqualTo(400);
            assertThat(wrong.json().at("/error/details/errors/0/pointer").asText())
                    .isEqualTo("header:Last-Event-ID");
            assertThat(unknown.status()).isEqualTo(404);
        }
    }
}
