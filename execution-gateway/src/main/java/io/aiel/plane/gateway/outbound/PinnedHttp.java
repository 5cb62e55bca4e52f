package io.aiel.plane.gateway.outbound;

import io.aiel.plane.hydrator.egress.CheckedResolver;
import io.aiel.plane.vocabulary.NetworkHost;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Future;
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
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Sends one request to a named host: resolves the name once, connects to exactly the address that was checked, and closes the connection when the
 * answer has been read as far as whoever asks wants it. Follows no redirect, keeps no connection (a kept one that the other end has closed looks like a
 * request that was lost, and connections of different projects would be one), sends nothing twice. Thread-safe; resolving has threads of its own.
 */
public final class PinnedHttp implements AutoCloseable {
    private static final int HEADER_BYTES_MAX = 16 * 1024;

    private final CheckedResolver resolver;
    private final HttpClient client;
    private final ExecutorService resolving = Executors.newVirtualThreadPerTaskExecutor();

    /**
     * @param resolver owned by this object from now on
     * @param caFile certificates that are trusted; empty means Java's
     * @param connectTimeout for connecting, and again for TLS
     */
    public PinnedHttp(
            Vertx vertx, CheckedResolver resolver, Optional<Path> caFile, int atOnceMax, Duration connectTimeout) {
        this.resolver = resolver;
        HttpClientOptions options = new HttpClientOptions()
                .setKeepAlive(false)
                .setVerifyHost(true)
                .setForceSni(true)
                .setDecompressionSupported(false)
                .setMaxHeaderSize(HEADER_BYTES_MAX)
                .setSslHandshakeTimeout(connectTimeout.toMillis())
                .setConnectTimeout(Math.toIntExact(connectTimeout.toMillis()));
        caFile.ifPresent(file -> options.setTrustOptions(new PemTrustOptions().addCertPath(file.toString())));
        this.client = vertx.createHttpClient(options, new PoolOptions().setHttp1MaxSize(atOnceMax));
    }

    /**
     * What is sent. Whoever makes one has checked that no part of it holds a line break. Can hold credentials, which {@link #toString} does not show.
     *
     * @param target path and query, encoded
     */
    public record Request(
            String method,
            boolean https,
            NetworkHost host,
            String target,
            Map<String, String> headers,
            Optional<Buffer> body) {
        @Override
        public String toString() {
            return "Request(" + method + " " + host + ")";
        }
    }

    /** What came of a request. */
    public sealed interface Sent<T> {
        /** There was an answer, of which this was read. */
        record Answered<T>(T read) implements Sent<T> {}

        /** Nothing left: the name has no address. */
        record Unresolved<T>() implements Sent<T> {}

        /**
         * Nothing left: the name leads to an address that is not public.
         *
         * @param range what sort of address that is
         */
        record Forbidden<T>(String range) implements Sent<T> {}

        /** Nothing left: no connection was made. Texts of failures name addresses; they are not for callers. */
        record Unreachable<T>(Throwable why) implements Sent<T> {}

        /**
         * No answer, or no whole one, came in time.
         *
         * @param left whether the request may have left
         */
        record TimedOut<T>(boolean left) implements Sent<T> {}

        /** It left, and the connection ended without a whole answer. */
        record Lost<T>() implements Sent<T> {}
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

        /** Whether it has left; if not, it will not. */
        boolean hasLeft() {
            stage.compareAndSet(Stage.CONNECTING, Stage.OVER);
            return stage.get() == Stage.LEFT;
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

    /**
     * Never fails; ends by the timeout.
     *
     * @param read what is wanted of an answer; called on the connection's own thread, before any of its body has come. When it is complete no more is
     *     read
     */
    public <T> Uni<Sent<T>> send(Request request, Function<HttpClientResponse, Future<T>> read, Duration timeout) {
        return Uni.createFrom().deferred(() -> {
            Attempt attempt = new Attempt();
            return Uni.createFrom()
                    .item(() -> resolver.resolve(request.host().name()))
                    .runSubscriptionOn(resolving)
                    .chain(resolved -> switch (resolved) {
                        case CheckedResolver.Resolved.Unknown _ ->
                            Uni.createFrom().<Sent<T>>item(new Sent.Unresolved<>());
                        case CheckedResolver.Resolved.Forbidden forbidden ->
                            Uni.createFrom().<Sent<T>>item(new Sent.Forbidden<>(forbidden.range()));
                        case CheckedResolver.Resolved.Address(var address) -> exchange(request, address, read, attempt);
                    })
                    .ifNoItem()
                    .after(timeout)
                    .recoverWithUni(() -> Uni.createFrom().item(new Sent.TimedOut<>(attempt.hasLeft())))
                    .onFailure()
                    .recoverWithItem(failure -> attempt.hasLeft() ? new Sent.Lost<>() : new Sent.Unreachable<>(failure))
                    .onTermination()
                    .invoke(attempt::end);
        });
    }

    private <T> Uni<Sent<T>> exchange(
            Request request, InetAddress address, Function<HttpClientResponse, Future<T>> read, Attempt attempt) {
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
                                    .compose(read);
                        })
                        .<Sent<T>>map(Sent.Answered::new)
                        .toCompletionStage());
    }

    private static RequestOptions options(Request request, InetAddress address) {
        RequestOptions options = new RequestOptions()
                .setMethod(HttpMethod.valueOf(request.method()))
                // The address that was checked; the name is for Host, SNI and the certificate.
                .setServer(SocketAddress.inetSocketAddress(request.host().port(), address.getHostAddress()))
                .setHost(request.host().name())
                .setPort(request.host().port())
                .setSsl(request.https())
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
