package io.aiel.plane.gateway.integration;

import io.aiel.plane.hydrator.egress.CheckedResolver;
import io.aiel.plane.hydrator.egress.EgressProxy;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.PoolOptions;
import io.vertx.core.http.RequestOptions;
import io.vertx.core.net.PemTrustOptions;
import io.vertx.core.net.SocketAddress;
import java.net.InetAddress;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicReference;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/**
 * Sends one request to a checked address and reads the answer up to its limit. Follows no redirect, keeps no connection (a kept one that the
 * other end has closed looks like a request that was lost, and connections of different projects would be one), sends nothing twice.
 * Thread-safe; resolving has threads of its own.
 */
final class OutboundHttp implements AutoCloseable {
    private static final int HEADER_BYTES_MAX = 16 * 1024;

    private final CheckedResolver resolver;
    private final HttpClient client;
    private final int responseBytesMax;
    private final ExecutorService resolving = Executors.newVirtualThreadPerTaskExecutor();

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

        /** It left, and no whole answer came. */
        record Lost(boolean timeout) implements Sent {}
    }

    /** Where a request is; each leaves the first state once. */
    private enum Stage {
        CONNECTING,
        LEFT,
        OVER
    }

    private static final class Attempt {
        private final AtomicReference<Stage> stage = new AtomicReference<>(Stage.CONNECTING);
        private final AtomicReference<@Nullable HttpClientRequest> request = new AtomicReference<>();

        /** Whether it may leave: not when its time was over before. */
        boolean leave() {
            return stage.compareAndSet(Stage.CONNECTING, Stage.LEFT);
        }

        /** What it is when it has no answer. */
        Sent unanswered(Sent.NotSent notSent, boolean timeout) {
            return stage.compareAndSet(Stage.CONNECTING, Stage.OVER) || stage.get() == Stage.OVER
                    ? notSent
                    : new Sent.Lost(timeout);
        }

        void end() {
            stage.compareAndSet(Stage.CONNECTING, Stage.OVER);
            HttpClientRequest made = request.get();
            if (made != null) {
                // Whatever else the other end says is not read.
                made.connection().close();
            }
        }
    }

    OutboundHttp(Vertx vertx, EgressProxy.Resolver names, Set<String> privateHosts, HttpActionConfig config) {
        this.resolver = new CheckedResolver(names, privateHosts, config.connectTimeout());
        this.responseBytesMax = config.responseBytesMax();
        HttpClientOptions options = new HttpClientOptions()
                .setKeepAlive(false)
                .setVerifyHost(true)
                .setForceSni(true)
                .setDecompressionSupported(false)
                .setMaxHeaderSize(HEADER_BYTES_MAX)
                .setSslHandshakeTimeout(config.connectTimeout().toMillis())
                .setConnectTimeout(Math.toIntExact(config.connectTimeout().toMillis()));
        config.caFile().ifPresent(file -> options.setTrustOptions(new PemTrustOptions().addCertPath(file.toString())));
        this.client = vertx.createHttpClient(options, new PoolOptions().setHttp1MaxSize(config.inHandMax()));
    }

    /** Never fails; ends by the timeout. */
    Uni<Sent> send(OutboundRequest request, Duration timeout) {
        return Uni.createFrom().deferred(() -> {
            Attempt attempt = new Attempt();
            return Uni.createFrom()
                    .item(() -> resolver.resolve(request.to().host().name()))
                    .runSubscriptionOn(resolving)
                    .chain(resolved -> switch (resolved) {
                        case CheckedResolver.Resolved.Unknown _ ->
                            notSent("unreachable", "its name has no address; look at the connection's base URL", 502);
                        case CheckedResolver.Resolved.Forbidden forbidden ->
                            notSent(
                                    "address_refused",
                                    "its name leads to an address that is not public (" + forbidden.range()
                                            + "); the operator of this server can allow the name in plane.integration.private-hosts",
                                    403);
                        case CheckedResolver.Resolved.Address(var address) -> exchange(request, address, attempt);
                    })
                    .ifNoItem()
                    .after(timeout)
                    .recoverWithUni(() -> Uni.createFrom()
                            .item(attempt.unanswered(
                                    new Sent.NotSent("timeout", "it could not be reached in time; try again", 504),
                                    true)))
                    .onFailure()
                    .recoverWithItem(failure -> attempt.unanswered(unreachable(failure), false))
                    .onTermination()
                    .invoke(attempt::end);
        });
    }

    private static Uni<Sent> notSent(String code, String why, int status) {
        return Uni.createFrom().item(new Sent.NotSent(code, why, status));
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

    private Uni<Sent> exchange(OutboundRequest request, InetAddress address, Attempt attempt) {
        return Uni.createFrom()
                .completionStage(() -> client.request(options(request, address))
                        .compose(made -> {
                            attempt.request.set(made);
                            // What happens when it is closed is of no interest, and would else be logged.
                            made.exceptionHandler(_ -> {});
                            if (!attempt.leave()) {
                                made.connection().close();
                                return Future.failedFuture("its time was over before it was connected");
                            }
                            // Here, on the connection's own thread: by the time that another one came to it, the answer
                            // may have passed.
                            return request.body()
                                    .map(made::send)
                                    .orElseGet(made::send)
                                    .compose(this::read);
                        })
                        .toCompletionStage());
    }

    private Future<Sent> read(HttpClientResponse response) {
        Promise<Sent> promise = Promise.promise();
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

    private static RequestOptions options(OutboundRequest request, InetAddress address) {
        BaseUrl to = request.to();
        RequestOptions options = new RequestOptions()
                .setMethod(HttpMethod.valueOf(request.method()))
                // The address that was checked; the name is for Host, SNI and the certificate.
                .setServer(SocketAddress.inetSocketAddress(to.host().port(), address.getHostAddress()))
                .setHost(to.host().name())
                .setPort(to.host().port())
                .setSsl(to.https())
                .setURI(request.target())
                .setFollowRedirects(false);
        request.headers().forEach(options::putHeader);
        return options;
    }

    @Override
    public void close() {
        client.close();
        resolver.close();
        resolving.shutdownNow();
    }
}
