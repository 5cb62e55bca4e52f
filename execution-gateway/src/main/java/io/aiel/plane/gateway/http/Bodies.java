package io.aiel.plane.gateway.http;

import io.aiel.plane.vocabulary.ErrorCode;
import io.quarkus.runtime.configuration.MemorySize;
import io.quarkus.vertx.http.runtime.filters.Filters;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpVersion;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.util.Map;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jspecify.annotations.Nullable;

/**
 * Bounds what a request's body may cost: a size that is refused before a byte is read when it is announced, and as soon as it is
 * passed when it is not ({@link BodyCounter}); a time to arrive in; and a number of large ones that are held at once. Beans and
 * filters of the event loop; {@link Held} is thread-safe.
 */
@Singleton
final class Bodies {
    private static final int FIRST = RequestIds.FIRST + 1;
    private static final int AFTER_REQUEST_ID = 9_500;
    /** An answer that overtook its request's body must be read before the connection can go. */
    private static final long GRACE_MS = 2_000;

    private static final String SIGNED_UPLOADS = "/v1/signed/uploads/";
    private static final String HELD = "plane.body";

    private final HttpConfig config;
    private final long bytesMax;
    private final long uploadBytesMax;
    private final Semaphore large;

    Bodies(HttpConfig config, @ConfigProperty(name = "quarkus.http.limits.max-body-size") MemorySize uploadMax) {
        this.config = config;
        this.bytesMax = config.bodyBytesMax().asLongValue();
        this.uploadBytesMax = uploadMax.asLongValue();
        this.large = new Semaphore(config.largeBodiesMax());
        ConnectionWatch.configure(
                new ConnectionWatch.Limits(config.headTimeout(), config.answerStallTimeout(), config.idleTimeout()));
    }

    /** What one request holds of what all share, until it is answered. */
    static final class Held {
        private final Semaphore large;
        private final long bytesMax;
        private final long largeBytes;
        private final AtomicBoolean holding = new AtomicBoolean();

        Held(Semaphore large, long bytesMax, long largeBytes) {
            this.large = large;
            this.bytesMax = bytesMax;
            this.largeBytes = largeBytes;
        }

        /** So many bytes were read, or announced. Fails with a {@link Refusal} when that is more than may be. */
        void count(long bytes) {
            if (bytes > bytesMax) {
                throw tooLarge(bytesMax);
            }
            if (bytes > largeBytes && holding.compareAndSet(false, true) && !large.tryAcquire()) {
                holding.set(false);
                throw new Refusal(ErrorCode.RATE_LIMITED, "Too many large requests at once; send this one again.")
                        .retryAfter(1);
            }
        }

        private void release() {
            if (holding.compareAndSet(true, false)) {
                large.release();
            }
        }
    }

    void register(@Observes Filters filters) {
        filters.register(Bodies::watch, FIRST);
        filters.register(this::check, AFTER_REQUEST_ID);
    }

    /** What the request of this routing holds; null when it passed no filter. */
    static @Nullable Held held(RoutingContext routing) {
        return routing.get(HELD);
    }

    private static void watch(RoutingContext routing) {
        @Nullable ConnectionWatch watch = ConnectionWatch.of(routing.request().connection());
        if (watch != null) {
            watch.requestBegan(routing.request().version());
            routing.addEndHandler(_ -> watch.requestEnded());
        }
        routing.next();
    }

    private void check(RoutingContext routing) {
        HttpServerRequest request = routing.request();
        @Nullable String announced = request.getHeader("Content-Length");
        if (request.isEnded() || withoutBody(request, announced)) {
            routing.next();
            return;
        }
        boolean upload = routing.normalizedPath().startsWith(SIGNED_UPLOADS);
        if (announced != null && isAbove(announced, upload ? uploadBytesMax : bytesMax)) {
            routing.addEndHandler(_ -> end(routing));
            Problems.write(routing, tooLarge(upload ? uploadBytesMax : bytesMax));
            return;
        }
        Held held = new Held(large, bytesMax, config.largeBodyBytes().asLongValue());
        routing.put(HELD, held);
        long timer = routing.vertx().setTimer(config.bodyTimeout().toMillis(), _ -> late(routing));
        routing.addEndHandler(_ -> {
            routing.vertx().cancelTimer(timer);
            held.release();
            end(routing);
        });
        routing.next();
    }

    private static boolean withoutBody(HttpServerRequest request, @Nullable String announced) {
        return announced == null
                ? request.version() != HttpVersion.HTTP_2 && request.getHeader("Transfer-Encoding") == null
                : announced.equals("0");
    }

    private static boolean isAbove(String announced, long max) {
        try {
            return Long.parseLong(announced) > max;
        } catch (NumberFormatException e) {
            // Not a length: the HTTP codec refuses such a request by itself.
            return false;
        }
    }

    private static Refusal tooLarge(long max) {
        return new Refusal(
                        ErrorCode.PAYLOAD_TOO_LARGE,
                        "The request's body is larger than " + max + " bytes, which is the most that this call takes.",
                        Map.of("bytes_max", max))
                .withHeader("Connection", "close");
    }

    /** The body did not come to its end in time. */
    private void late(RoutingContext routing) {
        if (!routing.request().isEnded() && !routing.response().ended()) {
            Problems.write(
                    routing,
                    new Refusal(
                                    ErrorCode.REQUEST_TIMEOUT,
                                    "The body did not come within "
                                            + config.bodyTimeout().toSeconds() + " seconds.")
                            .withHeader("Connection", "close"));
        }
    }

    /** What the caller goes on to send after its answer is nobody's any more. */
    private static void end(RoutingContext routing) {
        HttpServerRequest request = routing.request();
        // A body that was read on a thread is left paused at its end; such a request does not count as ended, and its
        // end is never told
        // again. The connection would be closed under the caller's next request.
        request.handler(null).resume();
        if (request.isEnded()) {
            return;
        }
        long timer = routing.vertx().setTimer(GRACE_MS, _ -> {
            if (request.version() == HttpVersion.HTTP_2) {
                // The other requests of the connection are not to blame.
                routing.response().reset();
            } else {
                var _ = request.connection().close();
            }
        });
        // Nearly always the rest is here a moment later. A timer left behind would keep each refused request for its
        // time, which under
        // overload fills the old space of the heap.
        request.end().onComplete(_ -> routing.vertx().cancelTimer(timer));
    }
}
