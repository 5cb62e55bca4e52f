package io.aiel.plane.gateway.http;

import io.aiel.plane.registry.RegistryConfig;
import io.aiel.plane.vocabulary.ErrorCode;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.UniEmitter;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.concurrent.Semaphore;

/**
 * Receives request bodies whose size was promised: never holds more than that, and only so many at a time. Thread-safe; call on the
 * request's event loop.
 */
@Singleton
final class Receiving {
    private final Semaphore free;

    Receiving(RegistryConfig config) {
        this.free = new Semaphore(config.uploadsReceivingMax());
    }

    /** The body, when it has exactly this many bytes; stops reading at the first byte too many. */
    Uni<byte[]> receive(HttpServerRequest request, long size, Duration limit) {
        return Uni.createFrom().deferred(() -> {
            if (!free.tryAcquire()) {
                return Uni.createFrom()
                        .failure(new Refusal(ErrorCode.RATE_LIMITED, "Too many uploads at once; send this one again.")
                                .retryAfter(1));
            }
            return Uni.createFrom()
                    .<byte[]>emitter(emitter -> read(request, size, emitter))
                    .ifNoItem()
                    .after(limit)
                    .failWith(() -> new Refusal(
                            ErrorCode.MALFORMED_REQUEST, "The body did not come in time; send the upload again."))
                    .onTermination()
                    .invoke(() -> free.release());
        });
    }

    private static void read(HttpServerRequest request, long size, UniEmitter<? super byte[]> emitter) {
        Buffer body = Buffer.buffer();
        request.handler(chunk -> {
            if (body.length() + (long) chunk.length() > size) {
                request.handler(_ -> {});
                emitter.fail(wrongSize(size, "more were sent"));
            } else {
                body.appendBuffer(chunk);
            }
        });
        request.exceptionHandler(_ ->
                emitter.fail(new Refusal(ErrorCode.MALFORMED_REQUEST, "The connection broke while the body came in.")));
        request.endHandler(_ -> emitter.complete(body.getBytes()));
        request.resume();
    }

    static Refusal wrongSize(long size, String found) {
        return new Refusal(
                ErrorCode.DIGEST_MISMATCH, "The upload was signed for " + size + " bytes, and " + found + ".");
    }
}
