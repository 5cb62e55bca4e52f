package io.aiel.plane.gateway.callback;

import io.aiel.plane.gateway.outbound.PinnedHttp;
import io.aiel.plane.hydrator.egress.CheckedResolver;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClientResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/** Makes one attempt, and reads no more of the answer than its status. Thread-safe. */
final class CallbackSender implements AutoCloseable {
    private final PinnedHttp http;
    private final Duration timeout;

    /**
     * @param caFile certificates that are trusted; empty means Java's
     * @param timeout for one attempt, all in all
     */
    CallbackSender(Vertx vertx, CheckedResolver resolver, Optional<Path> caFile, int atOnceMax, Duration timeout) {
        this.http = new PinnedHttp(vertx, resolver, caFile, atOnceMax, timeout);
        this.timeout = timeout;
    }

    /** What came of an attempt. */
    sealed interface Sent {
        /** There was an answer. */
        record Answered(int status) implements Sent {}

        /**
         * There was none.
         *
         * @param why one of a short list of words
         */
        record Unanswered(String why) implements Sent {}
    }

    /** Never fails. */
    Uni<Sent> send(CallbackDelivery delivery, List<WebhookSecret> secrets, long seconds) {
        return http.send(request(delivery, secrets, seconds), CallbackSender::status, timeout)
                .map(sent -> switch (sent) {
                    case PinnedHttp.Sent.Answered<Integer>(var status) -> new Sent.Answered(status);
                    case PinnedHttp.Sent.Unresolved<Integer> _ -> new Sent.Unanswered("unresolved");
                    case PinnedHttp.Sent.Forbidden<Integer> _ -> new Sent.Unanswered("private_address");
                    case PinnedHttp.Sent.TimedOut<Integer> _ -> new Sent.Unanswered("timeout");
                    case PinnedHttp.Sent.Unreachable<Integer> _, PinnedHttp.Sent.Lost<Integer> _ ->
                        new Sent.Unanswered("connection");
                });
    }

    private static Future<Integer> status(HttpClientResponse response) {
        response.exceptionHandler(_ -> {});
        return Future.succeededFuture(response.statusCode());
    }

    private static PinnedHttp.Request request(CallbackDelivery delivery, List<WebhookSecret> secrets, long seconds) {
        CallbackUrl url = delivery.url();
        return new PinnedHttp.Request(
                "POST",
                url.https(),
                url.host(),
                url.target(),
                Map.of(
                        "content-type",
                        "application/json",
                        "user-agent",
                        "aiel-plane",
                        "webhook-id",
                        delivery.id(),
                        "webhook-timestamp",
                        Long.toString(seconds),
                        "webhook-signature",
                        secrets.stream()
                                .map(secret -> secret.sign(delivery.id(), seconds, delivery.body()))
                                .collect(Collectors.joining(" "))),
                Optional.of(Buffer.buffer(delivery.body())));
    }

    @Override
    public void close() {
        http.close();
    }
}
