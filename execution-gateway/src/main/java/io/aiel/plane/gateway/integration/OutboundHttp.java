package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.gateway.outbound.PinnedHttp;
import io.aiel.plane.hydrator.egress.CheckedResolver;
import io.aiel.plane.hydrator.egress.EgressProxy;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClientResponse;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import javax.net.ssl.SSLException;

/** Makes calls of outside systems: reads an answer up to its limit, and says what became of a call in words for its caller. Thread-safe. */
final class OutboundHttp implements AutoCloseable {
    private final PinnedHttp http;
    private final int responseBytesMax;

    /** What came of a request. */
    sealed interface Sent {
        /**
         * There was an answer.
         *
         * @param contentType empty when it named none
         * @param retryAfter as it was sent
         * @param unread whether its body was more than is read, or packed although that was not asked for; then the body is empty
         */
        record Answered(int status, String contentType, Optional<String> retryAfter, Buffer body, boolean unread)
                implements Sent {}

        /**
         * Nothing left.
         *
         * @param code one of those of {@link ActionResult.Refused}
         * @param why what was wrong, and what to do
         */
        record NotSent(String code, String why, int status) implements Sent {}

        /**
         * There was an answer, and it is not one, or more than is read.
         *
         * @param code one of those of {@link ActionResult.Refused}
         * @param why what was wrong, and what to do
         */
        record Broken(String code, String why, int status) implements Sent {}

        /** It left, and no whole answer came. */
        record Lost(boolean timeout) implements Sent {}
    }

    OutboundHttp(Vertx vertx, EgressProxy.Resolver names, Set<String> privateHosts, HttpActionConfig config) {
        this.http = new PinnedHttp(
                vertx,
                new CheckedResolver(names, privateHosts, config.connectTimeout()),
                config.caFile(),
                config.inHandMax(),
                config.connectTimeout());
        this.responseBytesMax = config.responseBytesMax();
    }

    /** Never fails; ends by the timeout. */
    Uni<Sent> send(OutboundRequest request, Duration timeout) {
        return send(request, response -> read(response).map(answer -> answer), timeout);
    }

    /**
     * The same for a chat completion that comes in pieces: each is passed on as it comes, the connection is not read while there is no room for
     * another, and the answer is the completion put together. A server that does not stream it is understood, too.
     */
    Uni<Sent> stream(OutboundRequest request, Deltas deltas, Duration timeout) {
        return send(
                request,
                response -> isStream(response)
                        ? pieces(response, deltas)
                        : read(response).map(answer -> answer),
                timeout);
    }

    private Uni<Sent> send(
            OutboundRequest request, Function<HttpClientResponse, Future<Sent>> reading, Duration timeout) {
        BaseUrl to = request.to();
        PinnedHttp.Request pinned = new PinnedHttp.Request(
                request.method(), to.https(), to.host(), request.target(), request.headers(), request.body());
        return http.send(pinned, reading, timeout).map(sent -> switch (sent) {
            case PinnedHttp.Sent.Answered<Sent>(var answer) -> answer;
            case PinnedHttp.Sent.Unresolved<Sent> _ ->
                new Sent.NotSent("unreachable", "its name has no address; look at the connection's base URL", 502);
            case PinnedHttp.Sent.Forbidden<Sent>(var range) ->
                new Sent.NotSent(
                        "address_refused",
                        "its name leads to an address that is not public (" + range
                                + "); the operator of this server can allow the name in plane.integration.private-hosts",
                        403);
            case PinnedHttp.Sent.Unreachable<Sent>(var why) -> unreachable(why);
            case PinnedHttp.Sent.TimedOut<Sent>(var left) ->
                left
                        ? new Sent.Lost(true)
                        : new Sent.NotSent("timeout", "it could not be reached in time; try again", 504);
            case PinnedHttp.Sent.Lost<Sent> _ -> new Sent.Lost(false);
        });
    }

    /** The texts of failures name addresses, and are not passed on. */
    private static Sent.NotSent unreachable(Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof SSLException) {
                return new Sent.NotSent(
                        "unreachable",
                        "TLS failed: its certificate is not trusted here or is for another name, or it does not speak TLS there",
                        502);
            }
        }
        return new Sent.NotSent("unreachable", "no connection could be made to it; try again", 502);
    }

    private static boolean isStream(HttpClientResponse response) {
        String type = Optional.ofNullable(response.getHeader("content-type")).orElse("");
        return response.statusCode() >= 200
                && response.statusCode() < 300
                && !packed(response)
                && type.toLowerCase(Locale.ROOT).startsWith("text/event-stream");
    }

    private Future<Sent> pieces(HttpClientResponse response, Deltas deltas) {
        Promise<Sent> promise = Promise.promise();
        ChatStream stream = new ChatStream(responseBytesMax);
        // This thread is the connection's own.
        Context loop = Objects.requireNonNull(Vertx.currentContext());
        response.exceptionHandler(promise::tryFail);
        response.handler(part -> {
            List<CompletionStage<Boolean>> taken =
                    stream.read(part.getBytes()).stream().map(deltas::take).toList();
            stream.ended().ifPresent(end -> promise.tryComplete(sent(end)));
            if (!taken.isEmpty() && !promise.future().isComplete()) {
                response.pause();
                var _ = allTaken(taken)
                        .whenComplete((all, failure) -> loop.runOnContext(_ -> {
                            if (failure == null && Boolean.TRUE.equals(all)) {
                                response.resume();
                            } else {
                                promise.tryComplete(new Sent.Broken(
                                        "stream_limit",
                                        "more was streamed than the reader of one execution may be sent; do not stream",
                                        422));
                            }
                        }));
            }
        });
        response.endHandler(_ -> promise.tryComplete(sent(stream.over())));
        return promise.future();
    }

    private static CompletionStage<Boolean> allTaken(List<CompletionStage<Boolean>> taken) {
        CompletionStage<Boolean> all = CompletableFuture.completedStage(true);
        for (CompletionStage<Boolean> one : taken) {
            all = all.thenCombine(one, Boolean::logicalAnd);
        }
        return all;
    }

    /** As if it had come whole. */
    private static Sent sent(ChatStream.Ended end) {
        return switch (end) {
            case ChatStream.Ended.Whole(var completion) -> answered(200, completion);
            case ChatStream.Ended.Failed(var error) -> answered(500, error);
            case ChatStream.Ended.Broken(var code, var why, var status) -> new Sent.Broken(code, why, status);
        };
    }

    private static Sent answered(int status, JsonNode body) {
        return new Sent.Answered(status, "application/json", Optional.empty(), Buffer.buffer(body.toString()), false);
    }

    private Future<Sent.Answered> read(HttpClientResponse response) {
        Promise<Sent.Answered> promise = Promise.promise();
        Buffer body = Buffer.buffer();
        String type = Optional.ofNullable(response.getHeader("content-type")).orElse("");
        Optional<String> retryAfter = Optional.ofNullable(response.getHeader("retry-after"));
        response.exceptionHandler(promise::tryFail);
        response.handler(part -> {
            if (body.length() + part.length() > responseBytesMax) {
                // The connection is closed with that, so no more is read of what may have no end.
                promise.tryComplete(new Sent.Answered(response.statusCode(), type, retryAfter, Buffer.buffer(), true));
            } else {
                body.appendBuffer(part);
            }
        });
        boolean packed = packed(response);
        response.endHandler(_ -> promise.tryComplete(
                new Sent.Answered(response.statusCode(), type, retryAfter, packed ? Buffer.buffer() : body, packed)));
        return promise.future();
    }

    /** What was not asked for is not unpacked: a small body can be a large one in packing. */
    private static boolean packed(HttpClientResponse response) {
        String encoding = response.getHeader("content-encoding");
        return encoding != null && !encoding.equalsIgnoreCase("identity");
    }

    @Override
    public void close() {
        http.close();
    }
}
