package io.aiel.plane.hydrator;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.vocabulary.ExecutionOutcome;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Obligations;
import io.aiel.plane.vocabulary.ProjectScope;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Workers whose chunks nobody takes: they wait, and hear all the same that they are to stop. */
class StreamedWorkersTest {
    private static final String CODE = """
            import asyncio, time
            from aiel_sdk import tool

            closed = []

            @tool("sync")
            def sync(ctx, event):
                try:
                    while True:
                        yield "x" * event["chars"]
                finally:
                    closed.append("sync")

            @tool("asynchronous")
            async def asynchronous(ctx, event):
                try:
                    while True:
                        yield "x" * event["chars"]
                finally:
                    closed.append("asynchronous")

            @tool("three")
            def three(ctx, event):
                yield 1
                yield 2
                yield 3

            @tool("deaf")
            def deaf(ctx, event):
                yield 1
                time.sleep(60)

            @tool("closed")
            def was_closed(ctx, event):
                return closed
            """;
    private static final String LARGE = "{\"chars\":100000}";

    private static Plane plane;
    private static SnapshotFiles snapshot;

    @BeforeAll
    static void start() throws Exception {
        plane = Plane.start(Plane.settings());
        snapshot = plane.snapshot(CODE);
    }

    @AfterAll
    static void stop() {
        plane.close();
    }

    /** Takes a chunk and has room for the next when told so. */
    private static final class Reader implements WorkerListener {
        private final List<JsonText> chunks = new CopyOnWriteArrayList<>();
        private final CompletableFuture<Void> room = new CompletableFuture<>();

        @Override
        public void started(String workerId, JsonText isolation, boolean coldStart) {}

        @Override
        public void log(JsonText entry) {}

        @Override
        public boolean takesChunks() {
            return true;
        }

        @Override
        public CompletionStage<Void> chunk(JsonText data) {
            chunks.add(data);
            return room;
        }
    }

    private static RunningExecution run(
            ProjectScope project, String tool, String event, Duration timeout, WorkerListener listener) {
        return plane.run(project, snapshot, Plane.tool(tool, event), timeout, Obligations.NONE, listener);
    }

    /** Seen failing when a chunk is told and not waited for. */
    @Test
    void waitsUntilThereIsRoomForMore() throws Exception {
        Reader reader = new Reader();
        RunningExecution running = run(Plane.scope(), "three", "{}", Duration.ofSeconds(30), reader);

        assertThat(Plane.soon(() -> !reader.chunks.isEmpty())).isTrue();
        assertThat(Plane.soon(1, () -> reader.chunks.size() > 1)).isFalse();
        assertThat(running.outcome().toCompletableFuture()).isNotDone();
        reader.room.complete(null);

        assertThat(Plane.code(Plane.get(running))).isEqualTo("OK");
        assertThat(reader.chunks).containsExactly(new JsonText("1"), new JsonText("2"), new JsonText("3"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"sync", "asynchronous"})
    void endsAtItsDeadlineWhoeverReads(String tool) throws Exception {
        long began = System.nanoTime();

        ExecutionOutcome outcome = Plane.get(run(Plane.scope(), tool, LARGE, Duration.ofSeconds(2), new Reader()));

        assertThat(Plane.code(outcome)).isEqualTo("TIMEOUT");
        assertThat(Duration.ofNanos(System.nanoTime() - began)).isLessThan(Duration.ofSeconds(10));
    }

    /** Seen failing, for want of a closed generator, when the server reads no further after the cancellation. */
    @ParameterizedTest
    @ValueSource(strings = {"sync", "asynchronous"})
    void closesAGeneratorThatIsCancelledWhileItWaits(String tool) throws Exception {
        ProjectScope project = Plane.scope();
        Reader reader = new Reader();
        RunningExecution running = run(project, tool, LARGE, Duration.ofSeconds(30), reader);
        assertThat(Plane.soon(() -> !reader.chunks.isEmpty())).isTrue();
        Thread.sleep(200);

        running.cancel();

        assertThat(Plane.code(Plane.get(running))).isEqualTo("CANCELLED");
        assertThat(reader.chunks).hasSize(1);
        ExecutionOutcome after = Plane.get(run(project, "closed", "{}", Duration.ofSeconds(30), new Reader()));
        assertThat(Plane.result(after).toString()).isEqualTo("[\"" + tool + "\"]");
    }

    @Test
    void killsAGeneratorThatDoesNotComeBack() throws Exception {
        Reader reader = new Reader();
        RunningExecution running = run(Plane.scope(), "deaf", "{}", Duration.ofSeconds(30), reader);
        assertThat(Plane.soon(() -> !reader.chunks.isEmpty())).isTrue();
        long asked = System.nanoTime();

        running.cancel();

        assertThat(Plane.code(Plane.get(running))).isEqualTo("CANCELLED");
        assertThat(Duration.ofNanos(System.nanoTime() - asked)).isLessThan(Duration.ofSeconds(10));
    }
}
