package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.JsonText;
import io.smallrye.mutiny.Uni;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jboss.logging.Logger;

/**
 * Joins the one sequence with a reader's stream: what the sequence answers is the stream's last event when a worker has begun, and else the
 * answer. Thread-safe.
 *
 * @param isSuccess of an envelope
 * @param problem the document that stands for a refusal
 */
record StreamedExecution(
        Visit visit, Predicate<JsonText> isSuccess, Function<ExecutionAnswer.Refused, JsonText> problem) {
    private static final Logger LOG = Logger.getLogger(StreamedExecution.class);
    private static final ExecutionAnswer.Refused BROKEN =
            new ExecutionAnswer.Refused(ErrorCode.INTERNAL, ErrorCode.INTERNAL.title(), Optional.empty());

    /** The sequence goes on to its record whoever reads; a reader who has left before the answer came is a client that has gone. */
    Uni<StreamAnswer> of(Supplier<Uni<ExecutionAnswer>> sequence) {
        return Uni.createFrom().deferred(() -> {
            CompletableFuture<StreamAnswer> answer = new CompletableFuture<>();
            ExecutionStream stream = new ExecutionStream(
                    begun -> answer.complete(new StreamAnswer.Begun(begun)), visit::happened, problem);
            visit.streamsBy(stream);
            sequence.get()
                    .subscribe()
                    .with(last -> answered(last, stream, answer), failure -> failed(failure, stream, answer));
            return Uni.createFrom()
                    .completionStage(answer)
                    .onCancellation()
                    .invoke(() -> stream.events().leave());
        });
    }

    private void answered(ExecutionAnswer last, ExecutionStream stream, CompletableFuture<StreamAnswer> answer) {
        if (stream.hasBegun()) {
            end(last, stream);
        } else if (last instanceof ExecutionAnswer.Replayed) {
            end(last, stream);
            answer.complete(new StreamAnswer.Repeated(stream.events()));
        } else {
            answer.complete(new StreamAnswer.Instead(last));
            stream.events().leave();
        }
    }

    private void failed(Throwable failure, ExecutionStream stream, CompletableFuture<StreamAnswer> answer) {
        if (stream.hasBegun()) {
            LOG.error("an execution whose caller streams it failed after its start", failure);
            stream.end("error", problem.apply(BROKEN));
        } else {
            answer.completeExceptionally(failure);
            stream.events().leave();
        }
    }

    private void end(ExecutionAnswer last, ExecutionStream stream) {
        switch (last) {
            case ExecutionAnswer.Envelope(var _, var envelope, var _, var _) -> end(envelope, stream);
            case ExecutionAnswer.Replayed(var _, var envelope, var _) -> end(envelope, stream);
            case ExecutionAnswer.Refused refused -> stream.end("error", problem.apply(refused));
            // What has begun is not another's, and not queued.
            case ExecutionAnswer.InProgress _, ExecutionAnswer.Queued _ -> stream.end("error", problem.apply(BROKEN));
        }
    }

    private void end(JsonText envelope, ExecutionStream stream) {
        stream.end(isSuccess.test(envelope) ? "result" : "error", envelope);
    }
}
