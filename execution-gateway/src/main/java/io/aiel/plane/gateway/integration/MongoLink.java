package io.aiel.plane.gateway.integration;

import com.mongodb.MongoClientSettings;
import com.mongodb.connection.ServerConnectionState;
import com.mongodb.connection.TransportSettings;
import com.mongodb.event.CommandListener;
import com.mongodb.event.CommandStartedEvent;
import com.mongodb.event.ServerDescriptionChangedEvent;
import com.mongodb.event.ServerListener;
import com.mongodb.reactivestreams.client.MongoClient;
import com.mongodb.reactivestreams.client.MongoClients;
import io.netty.channel.EventLoopGroup;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A client for one MongoDB server: the driver's, which keeps a connection or two and one that watches. It is over as soon as the server cannot be
 * watched. Thread-safe; one call at a time uses it.
 */
final class MongoLink implements StoreSessions.Link {
    private static final Set<String> WRITES = Set.of("insert", "update", "delete");

    /** The server has sent more than it may. */
    static final class TooLarge extends RuntimeException {
        private static final long serialVersionUID = 1L;

        TooLarge() {
            super("the server sent more than it may", null, false, false);
        }
    }

    private final CappedEventLoops loops;
    private final CompletableFuture<Boolean> reached = new CompletableFuture<>();
    private final CompletableFuture<Void> ended = new CompletableFuture<>();
    private final AtomicBoolean closed = new AtomicBoolean();
    // The present call's:
    private final AtomicReference<AtomicBoolean> writing = new AtomicReference<>(new AtomicBoolean());
    private final MongoClient client;

    /**
     * @param bytesMax the most that the server may send for one call
     * @param settings all but what carries the bytes
     */
    MongoLink(EventLoopGroup loops, long bytesMax, Function<MongoLink, MongoClientSettings.Builder> settings) {
        this.loops = new CappedEventLoops(loops, bytesMax, this::lost);
        this.client = MongoClients.create(settings.apply(this)
                .transportSettings(TransportSettings.nettyBuilder()
                        .eventLoopGroup(this.loops)
                        .build())
                .build());
    }

    MongoClient client() {
        return client;
    }

    /** Completes when the server has been spoken to, fails when it could not be. */
    CompletionStage<Boolean> reached() {
        return reached.minimalCompletionStage();
    }

    /** The driver does not see that a connection is closed which waits; the whole is over then. */
    private void lost() {
        Thread.ofVirtual().name("mongo-lost").start(() -> ended.complete(null));
    }

    /** The server is who it was taken for. */
    void believe() {
        loops.believe();
    }

    /** No call is under way. */
    void rest() {
        loops.rest();
    }

    /** A call begins; {@code left} is set before its first write leaves. */
    void start(AtomicBoolean left) {
        loops.start();
        writing.set(left);
    }

    /** Whether the server has sent more than it may since then. */
    boolean isExceeded() {
        return loops.isExceeded();
    }

    boolean isEnded() {
        return ended.isDone();
    }

    /** What the driver tells of its commands: the one moment from which on a write may have been done. */
    CommandListener commands() {
        return new CommandListener() {
            @Override
            public void commandStarted(CommandStartedEvent event) {
                if (WRITES.contains(event.getCommandName())) {
                    writing.get().set(true);
                }
            }
        };
    }

    /** What the driver tells of the server; of heartbeats it tells only from the second one on. */
    ServerListener server() {
        return new ServerListener() {
            @Override
            public void serverDescriptionChanged(ServerDescriptionChangedEvent event) {
                @Nullable Throwable failure = event.getNewDescription().getException();
                if (event.getNewDescription().getState() == ServerConnectionState.CONNECTED) {
                    // Not here: the watching thread has more to tell the driver before anything is asked.
                    var _ = reached.completeAsync(() -> true, Thread::startVirtualThread);
                } else if (failure != null) {
                    // Not here, for the same reason, and as a lock of the driver's is held.
                    Thread.startVirtualThread(() -> {
                        reached.completeExceptionally(failure);
                        ended.complete(null);
                    });
                }
            }
        };
    }

    @Override
    public void onEnd(Runnable told) {
        var _ = ended.thenRun(told);
    }

    /** On a thread of its own: the driver waits for its watching thread. */
    @Override
    public void close() {
        ended.complete(null);
        if (closed.compareAndSet(false, true)) {
            Thread.ofVirtual().name("mongo-close").start(client::close);
        }
    }
}
