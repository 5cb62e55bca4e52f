package io.aiel.plane.gateway.callback;

import io.aiel.plane.hydrator.egress.CheckedResolver;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.PoolOptions;
import io.vertx.core.http.RequestOptions;
import io.vertx.core.net.PemTrustOptions;
import io.vertx.core.net.SocketAddress;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Makes one attempt: resolves the name once, connects to exactly the address that was checked, sends, and reads no more of the answer than its
 * status. Follows no redirect and keeps no connection. Thread-safe; resolving has threads of its own.
 */
final class CallbackSender implements AutoCloseable {
    private static final int HEADER_BYTES_MAX = 16 * 1024;

    private final CheckedResolver resolver;
    private final HttpClient client;
    private final Duration timeout;
    private final ExecutorService resolving = Executors.newVirtualThreadPerTaskExecutor();

    /**
     * @param caFile certificates that are trusted; empty means Java's
     * @param timeout for one attempt, all in all
     */
    CallbackSender(Vertx vertx, CheckedResolver resolver, Optional<Path> caFile, int atOnceMax, Duration timeout) {
        this.resolver = resolver;
        this.timeout = timeout;
        HttpClientOptions options = new HttpClientOptions()
                .setKeepAlive(false)
                .setVerifyHost(true)
                .setForceSni(true)
                .setDecompressionSupported(false)
                .setMaxHeaderSize(HEADER_BYTES_MAX)
                .setConnectTimeout(Math.toIntExact(timeout.toMillis()));
        caFile.ifPresent(file -> options.setTrustOptions(new PemTrustOptions().addCertPath(file.toString())));
        this.client = vertx.createHttpClient(options, new PoolOptions().setHttp1MaxSize(atOnceMax));
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
        AtomicReference<@Nullable HttpClientRequest> request = new AtomicReference<>();
        AtomicBoolean over = new AtomicBoolean();
        return Uni.createFrom()
                .item(() -> resolver.resolve(delivery.url().host().name()))
                .runSubscriptionOn(resolving)
                .chain(resolved -> switch (resolved) {
                    case CheckedResolver.Resolved.Unknown _ -> unanswered("unresolved");
                    case CheckedResolver.Resolved.Forbidden _ -> unanswered("private_address");
                    case CheckedResolver.Resolved.Address(var address) ->
                        post(delivery, options(delivery, address, secrets, seconds), request, over);
                })
                .ifNoItem()
                .after(timeout)
                .recoverWithUni(() -> unanswered("timeout"))
                .onFailure()
                .recoverWithItem(new Sent.Unanswered("connection"))
                .onTermination()
                .invoke(() -> {
                    over.set(true);
                    HttpClientRequest sent = request.get();
                    if (sent != null) {
                        // Whatever else the other end says is not read.
                        sent.connection().close();
                    }
                });
    }

    private static Uni<Sent> unanswered(String why) {
        return Uni.createFrom().item(new Sent.Unanswered(why));
    }

    private Uni<Sent> post(
            CallbackDelivery delivery,
            RequestOptions options,
            AtomicReference<@Nullable HttpClientRequest> request,
            AtomicBoolean over) {
        return Uni.createFrom()
                .completionStage(() -> client.request(options)
                        .compose(made -> {
                            request.set(made);
                            // What happens when it is closed is of no interest, and would else be logged.
                            made.exceptionHandler(_ -> {});
                            if (over.get()) {
                                made.connection().close();
                                return Future.failedFuture("its time was over before it was connected");
                            }
                            return made.send(Buffer.buffer(delivery.body()));
                        })
                        .<Sent>map(response -> {
                            response.exceptionHandler(_ -> {});
                            return new Sent.Answered(response.statusCode());
                        })
                        .toCompletionStage());
    }

    private RequestOptions options(
            CallbackDelivery delivery, InetAddress address, List<WebhookSecret> secrets, long seconds) {
        CallbackUrl url = delivery.url();
        return new RequestOptions()
                .setMethod(HttpMethod.POST)
                // The address that was checked; the name is for Host, SNI and the certificate.
                .setServer(SocketAddress.inetSocketAddress(url.host().port(), address.getHostAddress()))
                .setHost(url.host().name())
                .setPort(url.host().port())
                .setSsl(url.https())
                .setURI(url.target())
                .setFollowRedirects(false)
                .putHeader("content-type", "application/json")
                .putHeader("user-agent", "aiel-plane")
                .putHeader("webhook-id", delivery.id())
                .putHeader("webhook-timestamp", Long.toString(seconds))
                .putHeader(
                        "webhook-signature",
                        secrets.stream()
                                .map(secret -> secret.sign(delivery.id(), seconds, delivery.body()))
                                .collect(Collectors.joining(" ")));
    }

    @Override
    public void close() {
        client.close();
        resolver.close();
        resolving.shutdownNow();
    }
}
