package io.aiel.plane.hydrator;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * The worker bundles of this server: those of the settings serve from the start, any other that there is when it is first asked for,
 * for as long as the server runs. Thread-safe; what says so blocks, and belongs on a virtual thread.
 */
final class WorkerBundles {
    /** After an installation that failed, so long nothing is tried again. */
    private static final long PAUSE_NANOS = TimeUnit.SECONDS.toNanos(10);

    private final List<String> fromTheStart;
    private final BundleLocks locks;
    // Under this object's monitor:
    private final Map<String, Opening> openings = new HashMap<>();
    private @Nullable Opener opener;
    private boolean closed;

    /** Installs a bundle and starts its fork server; blocks. */
    interface Opener {
        Zygotes open(String name) throws HydratorFailure, InterruptedException;
    }

    private static final class Opening {
        final CompletableFuture<Zygotes> zygotes = new CompletableFuture<>();
        volatile long failedAt;

        boolean toBeTriedAgain() {
            return zygotes.isCompletedExceptionally() && System.nanoTime() - failedAt > PAUSE_NANOS;
        }

        @Nullable
        Zygotes now() {
            return zygotes.isCompletedExceptionally() ? null : zygotes.getNow(null);
        }
    }

    WorkerBundles(List<String> fromTheStart, BundleLocks locks) {
        this.fromTheStart = List.copyOf(fromTheStart);
        this.locks = locks;
    }

    /** From now on bundles can be opened. */
    synchronized void openWith(Opener how) {
        opener = how;
    }

    /** The names of all bundles that this server has or can have. Reads a folder. */
    SortedSet<String> names() {
        SortedSet<String> names = new TreeSet<>(fromTheStart);
        try {
            names.addAll(locks.names());
        } catch (HydratorFailure e) {
            System.getLogger(WorkerBundles.class.getName()).log(System.Logger.Level.WARNING, e.getMessage());
        }
        return names;
    }

    /** Whether there is such a bundle, serving or not. Looks at a file at most. */
    boolean has(String name) {
        return fromTheStart.contains(name) || locks.has(name);
    }

    /** Begins to install and start the bundle unless that was begun; returns at once. */
    void prepare(String name) {
        if (has(name)) {
            opening(name);
        }
    }

    /** The bundle's zygotes, waiting for them at most this long; what was begun goes on after that. */
    Zygotes take(String name, Duration limit) throws HydratorFailure, InterruptedException {
        if (!has(name)) {
            throw new HydratorFailure("this server has no worker bundle named " + name);
        }
        try {
            return opening(name).zygotes.get(limit.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new HydratorFailure(
                    "the worker bundle " + name + " is being installed on this server; try again shortly", e);
        } catch (ExecutionException e) {
            Throwable cause = e.getCause();
            throw new HydratorFailure(
                    cause == null ? "the worker bundle " + name + " cannot be had" : String.valueOf(cause.getMessage()),
                    e);
        }
    }

    private synchronized Opening opening(String name) {
        Opening present = openings.get(name);
        if (present != null && !present.toBeTriedAgain()) {
            return present;
        }
        Opening next = new Opening();
        Opener how = opener;
        if (closed || how == null) {
            next.zygotes.completeExceptionally(new HydratorFailure(closed ? "the server stops" : "the server starts"));
            return next;
        }
        openings.put(name, next);
        Thread.ofVirtual().name("bundle-" + name).start(() -> open(name, next, how));
        return next;
    }

    private void open(String name, Opening opening, Opener how) {
        try {
            Zygotes zygotes = how.open(name);
            boolean late;
            synchronized (this) {
                late = closed;
                if (!late) {
                    opening.zygotes.complete(zygotes);
                }
            }
            if (late) {
                zygotes.close();
                opening.zygotes.completeExceptionally(new HydratorFailure("the server stops"));
            }
        } catch (HydratorFailure | RuntimeException e) {
            opening.failedAt = System.nanoTime();
            opening.zygotes.completeExceptionally(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            opening.failedAt = System.nanoTime();
            opening.zygotes.completeExceptionally(e);
        }
    }

    /** Why no worker of some bundle of the settings can be made now; empty when all can. */
    String trouble() {
        for (String name : fromTheStart) {
            Zygotes zygotes = now(name);
            if (zygotes == null) {
                return "the worker bundle " + name + " is not there yet";
            }
            if (zygotes.now().isEmpty()) {
                String why = zygotes.trouble();
                return why.isEmpty() ? "the fork server is being replaced" : why;
            }
        }
        return "";
    }

    private synchronized @Nullable Zygotes now(String name) {
        Opening opening = openings.get(name);
        return opening == null ? null : opening.now();
    }

    /** Ends all zygotes, and with them their workers. Blocks. */
    void close(Duration limit) throws InterruptedException {
        List<Zygotes> all = new ArrayList<>();
        synchronized (this) {
            closed = true;
            for (Opening opening : openings.values()) {
                Zygotes zygotes = opening.now();
                if (zygotes != null) {
                    all.add(zygotes);
                }
            }
        }
        List<Thread> closing = new ArrayList<>();
        for (Zygotes zygotes : all) {
            closing.add(Thread.ofVirtual().start(zygotes::close));
        }
        for (Thread thread : closing) {
            thread.join(limit);
        }
    }
}
