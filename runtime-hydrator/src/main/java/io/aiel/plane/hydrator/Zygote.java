package io.aiel.plane.hydrator;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.hydrator.protocol.WorkerLimits;
import io.aiel.plane.hydrator.protocol.ZygoteEvent;
import io.aiel.plane.hydrator.protocol.ZygoteProtocol;
import io.aiel.plane.vocabulary.JsonText;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * One fork server: a child process that has the bundle imported and forks workers. Thread-safe; no method blocks but
 * {@link #close}. When the process ends, for whatever reason, so do its workers, and each is told.
 */
final class Zygote implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Zygote.class.getName());
    private static final int STDERR_LINES_MAX = 1000;
    private static final int OUTGOING_MAX = 10_000;

    private final Process process;
    private final ZygoteProtocol protocol = new ZygoteProtocol(1 << 20);
    private final Map<String, Worker> workers = new ConcurrentHashMap<>();
    private final CompletableFuture<ZygoteEvent.Hello> hello = new CompletableFuture<>();
    private final CompletableFuture<String> ended = new CompletableFuture<>();
    private final BlockingQueue<byte[]> outgoing = new LinkedBlockingQueue<>(OUTGOING_MAX);
    private final AtomicInteger forks = new AtomicInteger();
    private final AtomicBoolean dead = new AtomicBoolean();
    private final long started = System.nanoTime();
    private final Path config;
    private final Duration stopMax;
    private volatile boolean retired;
    private volatile String lastError = "";
    private volatile JsonText isolation = new JsonText("{}");

    /** Where a zygote finds everything. */
    record Place(Path python, Path code, Path bundle, Path store, Path socket, Path state, int slots) {}

    Zygote(Place place, HydratorSettings settings) throws HydratorFailure {
        this.stopMax = settings.times().stopMax();
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("tier", settings.isolation());
        json.put("store", place.store().toString());
        json.put("bundle", place.bundle().toString());
        json.put("socket", place.socket().toString());
        json.put("uid_base", settings.uidBase());
        json.put("slots", place.slots());
        settings.egress()
                .caFile()
                .ifPresent(file -> json.put("ca_file", file.toAbsolutePath().toString()));
        json.put("state_dir", place.state().toString());
        settings.runsc().ifPresent(runsc -> json.put("runsc", runsc.toString()));
        try {
            config = Files.createTempFile(place.state(), "zygote-", ".json");
            Files.writeString(config, json.toString());
            Path launcher = place.code().resolve("plane_worker").resolve("launcher.py");
            ProcessBuilder builder = new ProcessBuilder(
                    place.python().toString(), "-I", "-S", "-B", launcher.toString(), "--config", config.toString());
            builder.environment().clear();
            builder.directory(place.state().toFile());
            process = builder.start();
        } catch (IOException e) {
            throw new HydratorFailure("the zygote cannot be started with " + place.python() + ": " + e, e);
        }
        Thread.ofPlatform().daemon().name("zygote-read-" + process.pid()).start(this::read);
        Thread.ofPlatform().daemon().name("zygote-write-" + process.pid()).start(this::write);
        Thread.ofPlatform().daemon().name("zygote-stderr-" + process.pid()).start(this::drain);
    }

    /** Completes when it can fork; fails with a {@link HydratorFailure} when it never will. */
    CompletableFuture<ZygoteEvent.Hello> hello() {
        return hello;
    }

    /** Completes with the reason when the process is over. */
    CompletableFuture<String> ended() {
        return ended;
    }

    long pid() {
        return process.pid();
    }

    JsonText isolation() {
        return isolation;
    }

    /** Whether it forked enough, or is old enough, to be replaced. */
    boolean worn(HydratorSettings.Recycling recycling) {
        return forks.get() >= recycling.forksPerZygoteMax()
                || System.nanoTime() - started > recycling.zygoteAgeMax().toNanos();
    }

    boolean alive() {
        return !dead.get();
    }

    boolean retired() {
        return retired;
    }

    /** No more forks; ends by itself with its last worker. */
    void retire() {
        retired = true;
        stopIfUnused();
    }

    /** Forks a worker; what becomes of it the worker is told. */
    void spawn(Worker worker, WorkerLimits limits, String snapshotId) {
        workers.put(worker.id(), worker);
        forks.incrementAndGet();
        if (dead.get()) {
            if (workers.remove(worker.id(), worker)) {
                worker.onSpawnFailed("the zygote ended");
            }
            return;
        }
        send(protocol.spawn(
                worker.id(),
                worker.nonce(),
                worker.profile().network() ? worker.egressNonce() : "",
                worker.snapshot().folder(),
                worker.slot(),
                worker.profile().wireName(),
                limits,
                snapshotId));
    }

    void kill(String worker) {
        if (workers.containsKey(worker)) {
            send(ZygoteProtocol.kill(worker));
        }
    }

    private void send(byte[] frame) {
        if (!outgoing.offer(frame)) {
            end("it does not read what it is sent");
        }
    }

    private void write() {
        try (OutputStream out = process.getOutputStream()) {
            while (true) {
                byte[] frame = outgoing.poll(1, TimeUnit.SECONDS);
                if (frame != null) {
                    out.write(frame);
                    out.flush();
                } else if (dead.get()) {
                    return;
                }
            }
        } catch (IOException e) {
            end("its standard input is closed");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void read() {
        String reason = "its standard output ended";
        try (InputStream in = process.getInputStream()) {
            byte[] buffer = new byte[1 << 14];
            int count = in.read(buffer);
            while (count >= 0 && alive()) {
                for (ZygoteEvent event : protocol.receive(ByteBuffer.wrap(buffer, 0, count))) {
                    on(event);
                }
                count = in.read(buffer);
            }
        } catch (IOException e) {
            reason = "its standard output failed";
        } finally {
            end(reason);
        }
    }

    private void on(ZygoteEvent event) {
        switch (event) {
            case ZygoteEvent.Hello said -> {
                isolation = said.isolation();
                hello.complete(said);
            }
            case ZygoteEvent.SpawnFailed failed -> {
                Worker worker = workers.remove(failed.worker());
                if (worker != null) {
                    worker.onSpawnFailed(failed.reason());
                }
                stopIfUnused();
            }
            case ZygoteEvent.Exited exited -> {
                Worker worker = workers.remove(exited.worker());
                if (worker != null) {
                    worker.onExit(Death.of(exited));
                }
                stopIfUnused();
            }
            case ZygoteEvent.Spawned spawned -> LOG.log(System.Logger.Level.DEBUG, "worker {0}", spawned.worker());
            case ZygoteEvent.Pong ignored -> LOG.log(System.Logger.Level.DEBUG, "pong");
            case ZygoteEvent.StartFailed failed -> {
                hello.completeExceptionally(new HydratorFailure(failed.reason()));
                end(failed.reason());
            }
            case ZygoteEvent.Broken broken -> end("it broke the protocol: " + broken.reason());
        }
    }

    private void stopIfUnused() {
        if (retired && workers.isEmpty()) {
            send(ZygoteProtocol.stop());
        }
    }

    /** The process is over or must be: its workers are lost. */
    private void end(String reason) {
        if (!dead.compareAndSet(false, true)) {
            return;
        }
        Thread.ofVirtual().name("zygote-end-" + process.pid()).start(() -> {
            String why = reason;
            try {
                // The launcher needs a moment to remove what it made.
                if (!process.waitFor(2, TimeUnit.SECONDS)) {
                    process.destroy();
                    if (!process.waitFor(2, TimeUnit.SECONDS)) {
                        process.destroyForcibly();
                    }
                }
                if (!lastError.isEmpty()) {
                    why = reason + " (" + lastError + ")";
                }
                Files.deleteIfExists(config);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } catch (IOException e) {
                LOG.log(System.Logger.Level.DEBUG, "removing a zygote's configuration", e);
            }
            hello.completeExceptionally(new HydratorFailure(why));
            for (Worker worker : List.copyOf(workers.values())) {
                if (workers.remove(worker.id(), worker)) {
                    worker.onExit(Death.lost("the fork server ended"));
                }
            }
            ended.complete(why);
        });
    }

    private void drain() {
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(process.getErrorStream(), StandardCharsets.UTF_8))) {
            int count = 0;
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String text = line.length() > 500 ? line.substring(0, 500) : line;
                lastError = text;
                if (++count <= STDERR_LINES_MAX) {
                    LOG.log(System.Logger.Level.INFO, "zygote {0}: {1}", Long.toString(process.pid()), text);
                }
            }
        } catch (IOException e) {
            // The process was killed.
        }
    }

    /** Stops it and waits, at most the stop time; then kills. */
    @Override
    public void close() {
        send(ZygoteProtocol.stop());
        try {
            if (!process.waitFor(stopMax.toMillis(), TimeUnit.MILLISECONDS)) {
                process.destroy();
                if (!process.waitFor(1, TimeUnit.SECONDS)) {
                    process.descendants().forEach(ProcessHandle::destroyForcibly);
                    process.destroyForcibly();
                }
            }
            ended.get(5, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            process.destroyForcibly();
        } catch (ExecutionException | TimeoutException e) {
            LOG.log(System.Logger.Level.WARNING, "zygote {0} did not end in time", Long.toString(process.pid()));
        }
    }
}
