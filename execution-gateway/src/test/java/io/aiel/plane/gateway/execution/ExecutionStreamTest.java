package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** What is between a worker and a reader. */
class ExecutionStreamTest {
    private static final JsonText LARGE = new JsonText("\"" + "x".repeat(100_000) + "\"");

    private int begun;
    private int left;
    private int looks;
    private final ExecutionStream stream =
            new ExecutionStream(_ -> begun++, () -> left++, refused -> new JsonText("\"" + refused.code() + "\""));

    private CompletableFuture<Void> chunk() {
        return stream.chunk(LARGE).toCompletableFuture();
    }

    @Test
    void givesEventsInOrderAndTheEndLast() {
        stream.events().onMore(() -> looks++);
        ExecutionId id = ExecutionId.create();
        stream.started(id, true);
        stream.log(new JsonText("{}"));
        assertThat(stream.chunk(new JsonText("1"))).isCompleted();
        stream.end("result", new JsonText("{\"ok\":true}"));

        assertThat(begun).isEqualTo(1);
        assertThat(looks).isEqualTo(5);
        assertThat(stream.events().isOver()).isFalse();
        assertThat(stream.events().next())
                .contains(
                        new EventSource.Event("1", "started", "{\"execution_id\":\"" + id + "\",\"cold_start\":true}"));
        assertThat(stream.events().next()).contains(new EventSource.Event("2", "log", "{}"));
        assertThat(stream.events().next()).contains(new EventSource.Event("3", "chunk", "1"));
        assertThat(stream.events().next()).contains(new EventSource.Event("4", "result", "{\"ok\":true}"));
        assertThat(stream.events().isOver()).isTrue();
    }

    /** Seen failing when there is always room. */
    @Test
    void letsTheWorkerWaitWhileTheReaderHasMuchToTake() {
        assertThat(chunk()).isCompleted();
        assertThat(chunk()).isCompleted();
        CompletableFuture<Void> third = chunk();

        assertThat(third).isNotDone();
        assertThat(stream.events().next()).isPresent();
        assertThat(third).isCompleted();
    }

    @Test
    void letsTheWorkerGoOnWhenTheReaderHasGone() {
        var _ = chunk();
        var _ = chunk();
        CompletableFuture<Void> third = chunk();

        stream.events().leave();
        stream.events().leave();

        assertThat(third).isCompleted();
        assertThat(chunk()).isCompleted();
        assertThat(stream.events().next()).isEmpty();
        assertThat(stream.events().isOver()).isTrue();
        assertThat(left).isEqualTo(1);
    }

    @Test
    void takesBackWhatWaitsForAReaderWhoMayNotHaveIt() {
        stream.started(ExecutionId.create(), true);
        assertThat(stream.events().next()).isPresent();
        var _ = chunk();
        var _ = chunk();
        CompletableFuture<Void> third = chunk();

        stream.refuse(new ExecutionAnswer.Refused(ErrorCode.UNAUTHENTICATED, "revoked", Optional.empty()));

        assertThat(third).isCompleted();
        assertThat(left).isEqualTo(1);
        assertThat(chunk()).isCompleted();
        stream.end("result", new JsonText("{}"));
        assertThat(stream.events().next()).contains(new EventSource.Event("5", "error", "\"UNAUTHENTICATED\""));
        assertThat(stream.events().isOver()).isTrue();
    }
}
