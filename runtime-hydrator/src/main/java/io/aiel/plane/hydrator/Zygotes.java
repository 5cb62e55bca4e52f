package io.aiel.plane.hydrator;

import io.aiel.plane.hydrator.protocol.ZygoteEvent;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * The zygotes of one bundle: one that forks, and those retired that still have workers. A thread of its own starts the next when
 * one dies, after a pause that grows while starts fail. Thread-safe.
 */
final class Zygotes implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Zygotes.class.getName());
    private static final long PAUSE_MIN_MS = 100;
    private static final long PAUSE_MAX_MS = 10_000;
    private static final long HELLO_MAX_MS = 30_000;
    private static final long LOOK_MS = 250;

    private final Zygote.Place place;
    private final HydratorSettings settings;
    private final Runnable onChange;
    private final List<Zygote> all = new CopyOnWriteArrayList<>();
    private final Thread thread;
    private volatile CompletableFuture<Zygote> current = new CompletableFuture<>();
    private volatile String trouble = "the fork server is starting";
    private volatile boolean closed;

    /**
     * @param settings whose isolation is the tier that was chosen, not {@code auto}
     * @param onChange told on the supervising thread whenever a new zygote serves
     */
    Zygotes(Zygote.Place place, HydratorSettings settings, Runnable onChange) {
        this.place = place;
        this.settings = settings;
        this.onChange = onChange;
        this.thread = Thread.ofPlatform().daemon().name("zygotes").start(this::supervise);
    }

    /** The zygote that forks, waiting for it at most this long. */
    Zygote take(Duration limit) throws HydratorFailure, InterruptedException {
        long until = System.nanoTime() + limit.toNanos();
        while (true) {
            try {
                Zygote zygote = current.get(Math.max(1, until - System.nanoTime()), TimeUnit.NANOSECONDS);
                if (zygote.alive()) {
                    return zygote;
                }
            } catch (ExecutionException | TimeoutException e) {
                throw new HydratorFailure(trouble.isEmpty() ? "the fork server does not answer" : trouble, e);
            }
            if (System.nanoTime() > until) {
                throw new HydratorFailure("the fork server ended and did not come back in time");
            }
            Thread.sleep(1);
        }
    }

    /** The zygote that forks, if there is one now. */
    Optional<Zygote> now() {
        return Optional.ofNullable(current.getNow(null)).filter(Zygote::alive);
    }

    /** Why there is none; empty when there is. */
    String trouble() {
        return trouble;
    }

    private void supervise() {
        long pause = PAUSE_MIN_MS;
        try {
            while (!closed) {
                @Nullable Zygote zygote = tryStart();
                if (zygote == null) {
                    Thread.sleep(pause);
                    pause = Math.min(pause * 2, PAUSE_MAX_MS);
                    continue;
                }
                long since = System.nanoTime();
                watch(zygote);
                pause = System.nanoTime() - since > TimeUnit.SECONDS.toNanos(30) ? PAUSE_MIN_MS : pause;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private @Nullable Zygote tryStart() throws InterruptedException {
        @Nullable Zygote zygote = null;
        try {
            zygote = new Zygote(place, settings);
            all.add(zygote);
            ZygoteEvent.Hello hello = zygote.hello().get(HELLO_MAX_MS, TimeUnit.MILLISECONDS);
            if (!hello.tier().equals(settings.isolation())) {
                throw new HydratorFailure("the fork server has tier " + hello.tier() + ", not " + settings.isolation());
            }
            LOG.log(
                    System.Logger.Level.INFO,
                    "Zygote {0} serves: tier {1}, Python {2}, aiel-sdk {3}, aiel-runtime {4}",
                    Long.toString(zygote.pid()),
                    hello.tier(),
                    hello.python(),
                    hello.sdkVersion(),
                    hello.runtimeVersion());
            CompletableFuture<Zygote> previous = current;
            trouble = "";
            current = CompletableFuture.completedFuture(zygote);
            previous.complete(zygote);
            onChange.run();
            return zygote;
        } catch (HydratorFailure e) {
            trouble = String.valueOf(e.getMessage());
        } catch (ExecutionException e) {
            Throwable cause = e.getCause();
            trouble = "the fork server cannot start: " + (cause == null ? "" : cause.getMessage());
        } catch (TimeoutException e) {
            trouble = "the fork server did not start within " + HELLO_MAX_MS / 1000 + " s";
        }
        LOG.log(System.Logger.Level.ERROR, trouble);
        if (zygote != null) {
            zygote.close();
            all.remove(zygote);
        }
        return null;
    }

    /** Returns when the zygote has died or is worn; a worn one goes on until its last worker ends. */
    private void watch(Zygote zygote) throws InterruptedException {
        while (!closed) {
            try {
                String reason = zygote.ended().get(LOOK_MS, TimeUnit.MILLISECONDS);
                all.remove(zygote);
                if (!closed) {
                    trouble = "the fork server ended: " + reason;
                    current = new CompletableFuture<>();
                    LOG.log(System.Logger.Level.WARNING, trouble);
                }
                return;
            } catch (TimeoutException e) {
                if (zygote.worn(settings.recycling())) {
                    retire(zygote);
                    return;
                }
            } catch (ExecutionException e) {
                throw new IllegalStateException("the end of a zygote never fails", e);
            }
        }
    }

    private void retire(Zygote zygote) {
        current = new CompletableFuture<>();
        zygote.retire();
        var _ = zygote.ended().thenRun(() -> all.remove(zygote));
        onChange.run();
    }

    @Override
    public void close() {
        closed = true;
        current.completeExceptionally(new HydratorFailure("the server stops"));
        thread.interrupt();
        try {
            thread.join(Duration.ofSeconds(2));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        for (Zygote zygote : all) {
            zygote.close();
        }
    }
}
