package io.aiel.plane.gateway.http;

import io.aiel.plane.registry.RegistryConfig;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ProjectId;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.UniEmitter;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerRequest;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.Arrays;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Receives request bodies whose size was promised, into memory that a budget bounds for the whole node: never more than was
 * promised, not a byte of it before there is room for all, and until what becomes of it is done. A body that is refused ends its
 * connection, so that nobody can go on sending to no purpose. Thread-safe; call on the request's event loop.
 */
@Singleton
final class Receiving {
    private static final long DROPPED_BYTES_MAX = 4L << 20;
    private static final long DROPPING_MS_MAX = 3_000;

    private final ByteBudget budget;
    private final Duration wait;

    Receiving(RegistryConfig config) {
        this.budget = new ByteBudget(config.bodiesBytesMax(), config.bodiesWaitingMax());
        this.wait = config.bodiesWait();
    }

    /** What {@code use} makes of the body of a project's upload, when it has at most this many bytes; stops reading at the first byte too many. */
    <T> Uni<T> receive(
            ProjectId project, HttpServerRequest request, long size, Duration limit, Function<byte[], Uni<T>> use) {
        return room(new ByteBudget.Holder.Uploads(project), size)
                .onFailure()
                .invoke(() -> endConnection(request))
                .chain(share -> Uni.createFrom()
                        .<byte[]>emitter(emitter -> read(request, size, emitter))
                        .ifNoItem()
                        .after(limit)
                        .failWith(() -> new Refusal(
                                ErrorCode.MALFORMED_REQUEST, "The body did not come in time; send the upload again."))
                        .onFailure()
                        .invoke(() -> endConnection(request))
                        .chain(use::apply)
                        .onTermination()
                        .invoke(share::close));
    }

    /** Room for so many bytes; whoever takes it closes it. Refused as {@code RATE_LIMITED} when none comes free in time. */
    Uni<ByteBudget.Share> room(ByteBudget.Holder holder, long size) {
        return budget.take(holder, size, wait).map(found -> found.orElseThrow(Receiving::busy));
    }

    private static Refusal busy() {
        return new Refusal(
                        ErrorCode.RATE_LIMITED,
                        "More files come and go at once than this server, or the project's share of it, has room for; send this one again.")
                .retryAfter(1);
    }

    private static void read(HttpServerRequest request, long size, UniEmitter<? super byte[]> emitter) {
        byte[] body = new byte[Math.toIntExact(size)];
        int[] filled = {0};
        request.handler(chunk -> {
            if (filled[0] + (long) chunk.length() > size) {
                emitter.fail(wrongSize(size, "more were sent"));
            } else {
                chunk.getBytes(body, filled[0]);
                filled[0] += chunk.length();
            }
        });
        request.exceptionHandler(_ ->
                emitter.fail(new Refusal(ErrorCode.MALFORMED_REQUEST, "The connection broke while the body came in.")));
        request.endHandler(_ -> emitter.complete(filled[0] == size ? body : Arrays.copyOf(body, filled[0])));
        request.resume();
    }

    /**
     * Drops what still comes and ends the connection: not at once, since a caller that is still sending would then see a broken
     * connection and not the answer, but after so many bytes or so long.
     */
    private static void endConnection(HttpServerRequest request) {
        if (request.isEnded()) {
            return;
        }
        long[] dropped = {0};
        request.handler(chunk -> {
            dropped[0] += chunk.length();
            if (dropped[0] > DROPPED_BYTES_MAX) {
                var _ = request.connection().close();
            }
        });
        request.exceptionHandler(_ -> {});
        request.endHandler(_ -> {});
        request.response().putHeader("Connection", "close");
        @Nullable Context loop = Vertx.currentContext();
        if (loop != null) {
            loop.owner().setTimer(DROPPING_MS_MAX, _ -> {
                var _ = request.connection().close();
            });
        }
        request.resume();
    }

    static Refusal wrongSize(long size, String found) {
        return new Refusal(
                ErrorCode.DIGEST_MISMATCH, "The upload was signed for " + size + " bytes, and " + found + ".");
    }
}
