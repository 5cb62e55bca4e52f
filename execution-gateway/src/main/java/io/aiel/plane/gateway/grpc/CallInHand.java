package io.aiel.plane.gateway.grpc;

import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.gateway.identity.ProjectDoor;
import io.aiel.plane.vocabulary.ErrorCode;
import io.grpc.Context;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.Cancellable;
import io.smallrye.mutiny.subscription.UniEmitter;
import io.vertx.core.impl.ContextInternal;
import java.time.Duration;
import java.util.Optional;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * One call on its way: its sender is recognised before a byte of its message is asked for, then the message is received, then it
 * is let into the project and answered. A caller who gives up cancels whatever goes on. Lives on its connection's event loop:
 * everything here is called there.
 */
abstract class CallInHand<Q, R, A> extends ServerCall.Listener<Received<Q>> {
    private static final Logger LOG = Logger.getLogger(CallInHand.class);

    private final ServerCall<Received<Q>, R> call;
    private final Method<Q, A> method;
    private final Parts parts;
    private final Sent sent;
    private final ContextInternal loop;
    private final StreamReset stream;
    private Cancellable running = () -> {};
    private @Nullable UniEmitter<? super Q> receiver;
    private @Nullable Received<Q> received;
    private long stall;
    private boolean ended;

    /** What all calls need. */
    record Parts(
            ProjectDoor door, Errors errors, String baseUrl, Duration receiveTimeout, Duration answerStallTimeout) {}

    /** @param loop a context of this call alone, on the event loop of its connection */
    CallInHand(
            ServerCall<Received<Q>, R> call,
            Metadata metadata,
            Method<Q, A> method,
            Parts parts,
            ContextInternal loop) {
        this.call = call;
        this.method = method;
        this.parts = parts;
        this.loop = loop;
        this.sent =
                Sent.of(call, metadata, Optional.ofNullable(Context.current().getDeadline()));
        this.stream = StreamReset.ofCurrentCall();
    }

    /** To be called where the call begins, which is where its context is the current one of gRPC. */
    final void begin() {
        ReceivingBudget.onTooMuch(() -> later(() ->
                fail(new Refusal(ErrorCode.RATE_LIMITED, "Too many large messages come at once; send this one again.")
                        .retryAfter(1))));
        onLoop(this::proceed);
    }

    private void proceed() {
        running = parts.door()
                .recognise(sent.apiTokens(), sent.authorizations())
                .emitOn(this::onLoop)
                .chain(holder -> receive().chain(request -> enter(holder, request)))
                .emitOn(this::onLoop)
                .invoke(this::answered)
                .subscribe()
                .with(_ -> {}, this::fail);
    }

    final void onLoop(Runnable task) {
        loop.emit(task, Runnable::run);
    }

    final void later(Runnable task) {
        loop.runOnContext(_ -> task.run());
    }

    private Uni<Q> receive() {
        return Uni.createFrom()
                .<Q>emitter(emitter -> {
                    receiver = emitter;
                    // One more than there may be, to see when there are more.
                    call.request(2);
                })
                .ifNoItem()
                .after(parts.receiveTimeout())
                .failWith(() -> new Refusal(ErrorCode.REQUEST_TIMEOUT, "The message did not come in time."));
    }

    private Uni<A> enter(ProjectDoor.Holder holder, Q request) {
        return parts.door()
                .enter(
                        holder,
                        sent.wish(
                                method.workspace().apply(request),
                                method.project().apply(request),
                                method.action(),
                                method.resource().apply(request)))
                .chain(inside -> method.answer().apply(new Call(inside, sent, parts.baseUrl()), request));
    }

    @Override
    public final void onMessage(Received<Q> message) {
        if (received == null) {
            received = message;
        } else {
            fail(new Refusal(ErrorCode.MALFORMED_REQUEST, "The call takes one message, and more were sent."));
        }
    }

    @Override
    public final void onHalfClose() {
        if (receiver == null || ended) {
            return;
        }
        if (received == null) {
            receiver.fail(new Refusal(ErrorCode.MALFORMED_REQUEST, "The call takes a message, and none was sent."));
        } else if (received.refusal() != null) {
            receiver.fail(received.refusal());
        } else {
            receiver.complete(received.orThrow());
        }
        // It may be large.
        received = null;
    }

    @Override
    public final void onCancel() {
        ended = true;
        running.cancel();
        over();
    }

    @Override
    public final void onComplete() {
        over();
    }

    private void over() {
        unwatch();
        left();
    }

    /** The item of the answer is there. */
    abstract void answered(A answer);

    /** The caller has gone, or has everything. */
    void left() {}

    final boolean hasEnded() {
        return ended;
    }

    /** Whether the caller takes messages now; when he does again, {@link #onReady} says so. */
    final boolean isReady() {
        return call.isReady();
    }

    final void sendHeaders() {
        call.sendHeaders(sent.answerMetadata());
    }

    final void send(R message) {
        call.sendMessage(message);
    }

    final void succeed() {
        if (!ended) {
            ended = true;
            call.close(Status.OK, new Metadata());
            watch();
        }
    }

    final void fail(Throwable failure) {
        if (ended) {
            return;
        }
        ended = true;
        running.cancel();
        StatusRuntimeException error = parts.errors().of(failure, sent);
        @Nullable Metadata trailers = error.getTrailers();
        call.close(error.getStatus(), trailers == null ? new Metadata() : trailers);
        watch();
    }

    /** From now on the caller has to take what waits for him, or is cut off: it would be kept for ever otherwise. */
    final void watch() {
        if (stall == 0) {
            stall = loop.owner().setTimer(parts.answerStallTimeout().toMillis(), _ -> onLoop(this::cutOff));
        }
    }

    final void unwatch() {
        if (stall != 0) {
            loop.owner().cancelTimer(stall);
            stall = 0;
        }
    }

    private void cutOff() {
        LOG.debugf("a caller takes no answer requestId=%s", sent.requestId());
        ended = true;
        running.cancel();
        stream.reset("The answer was not taken in time.");
        left();
    }
}
