package io.aiel.plane.hydrator;

import io.aiel.plane.hydrator.egress.EgressChannel;
import io.aiel.plane.hydrator.egress.EgressGrant;
import io.aiel.plane.hydrator.protocol.WorkerEvent;
import io.aiel.plane.hydrator.protocol.WorkerProtocol;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionOutcome;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Usage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * One forked process with one snapshot. Its thread owns the connection: it waits for the snapshot to load and then runs one job
 * after the other. Other threads only hand over jobs and ask for the end.
 */
final class Worker {
    /** How long the end of a killed process is waited for, for the sake of its usage figures. */
    private static final Duration USAGE_WAIT = Duration.ofMillis(250);

    private static final Duration EXIT_WAIT = Duration.ofSeconds(2);

    /** How long a worker may take to hear that its execution's connections are over. */
    private static final Duration EGRESS_WAIT = Duration.ofSeconds(1);

    /** What came of loading the snapshot. */
    sealed interface Start {
        /** It is loaded. */
        record Loaded(WorkerEvent.Ready ready) implements Start {}

        /** It cannot be loaded. */
        record Refused(List<WorkerEvent.Problem> problems) implements Start {
            /** Whether the sandbox could not be made, which is no fault of the snapshot. */
            boolean bySandbox() {
                return problems.getFirst().code().equals("WORKER_START_FAILED");
            }
        }

        /** The worker ended before it said either. */
        record Died(Death death) implements Start {}
    }

    /** Whoever made the worker. Called on the worker's or the zygote's thread; must not block. */
    interface Owner {
        /** The snapshot is loaded, or will never be. */
        void started(Worker worker, Start start);

        /** A job is over; unless {@code usable}, so is the worker. */
        void finished(Worker worker, boolean usable);

        /** The process is gone and its slot free. */
        void gone(Worker worker);
    }

    private final String id;
    private final String nonce;
    private final String egressNonce;
    private final int slot;
    private final Profile profile;
    private final Zygote zygote;
    /** The zygote's walls, with what this worker's profile changes. */
    private final JsonText isolation;

    private final SnapshotStore.Lease snapshot;
    private final Owner owner;
    private final HydratorSettings settings;
    private final ScheduledExecutorService timer;
    private final CompletableFuture<Death> exited = new CompletableFuture<>();
    private final CompletableFuture<Start> start = new CompletableFuture<>();
    private final BlockingQueue<Optional<Job>> inbox = new ArrayBlockingQueue<>(8);
    private volatile @Nullable SocketChannel channel;
    private volatile @Nullable EgressChannel egress;
    private volatile @Nullable Job current;
    private volatile @Nullable Death verdict;
    private volatile boolean spent;
    private volatile long idleSince = System.nanoTime();
    private int executions;
    private long cpuMs;

    Worker(
            String id,
            String nonce,
            String egressNonce,
            int slot,
            Profile profile,
            Zygote zygote,
            SnapshotStore.Lease snapshot,
            Owner owner,
            HydratorSettings settings,
            ScheduledExecutorService timer) {
        this.id = id;
        this.nonce = nonce;
        this.egressNonce = egressNonce;
        this.slot = slot;
        this.profile = profile;
        this.zygote = zygote;
        this.isolation = IsolationFacts.of(zygote.isolation(), profile);
        this.snapshot = snapshot;
        this.owner = owner;
        this.settings = settings;
        this.timer = timer;
    }

    String id() {
        return id;
    }

    String nonce() {
        return nonce;
    }

    /** What the worker's second connection, the one for its network, must say. */
    String egressNonce() {
        return egressNonce;
    }

    Profile profile() {
        return profile;
    }

    /** The worker's way out is connected; serves it until it ends. */
    void serveEgress(EgressChannel connection) {
        egress = connection;
        connection.serve();
    }

    int slot() {
        return slot;
    }

    Zygote zygote() {
        return zygote;
    }

    SnapshotStore.Lease snapshot() {
        return snapshot;
    }

    CompletableFuture<Start> start() {
        return start;
    }

    boolean exited() {
        return exited.isDone();
    }

    /** Whether it takes no more jobs. */
    boolean spent() {
        return spent || exited.isDone();
    }

    long idleSince() {
        return idleSince;
    }

    void nowIdle() {
        idleSince = System.nanoTime();
    }

    /** Hands a job over; only for an idle worker that the caller has taken out of its pool. */
    void hand(Job job) {
        if (!inbox.offer(Optional.of(job))) {
            throw new IllegalStateException("a worker has one job at a time");
        }
    }

    /** Ends the worker; a job it may have is lost. */
    void stop() {
        wake();
        zygote.kill(id);
    }

    /** Ends the worker because its snapshot does not load in time. */
    void giveUpStart(Death why) {
        if (!start.isDone()) {
            verdict = why;
            zygote.kill(id);
            Runnable late = () -> begun(new Start.Died(why));
            later(timer.schedule(
                    () -> Thread.startVirtualThread(late), EXIT_WAIT.toMillis() + 500, TimeUnit.MILLISECONDS));
        }
    }

    /** Ends this job, and the worker with it, unless the job has ended already. */
    void end(Job job, ErrorCode code, String detail) {
        if (current == job && job.decide(new Job.End(code, detail))) {
            zygote.kill(id);
            Runnable late = () -> job.settle(new ExecutionOutcome.Ended(code, detail, Usage.NONE));
            later(timer.schedule(
                    () -> Thread.startVirtualThread(late), USAGE_WAIT.toMillis() * 2, TimeUnit.MILLISECONDS));
        }
    }

    /** Asks the code to stop, and kills it after the grace. Blocks while the worker does not read. */
    void cancel(Job job) {
        SocketChannel now = channel;
        if (current != job || now == null) {
            return;
        }
        later(timer.schedule(
                () -> end(job, ErrorCode.CANCELLED, "the execution was cancelled"),
                settings.times().cancelGrace().toMillis(),
                TimeUnit.MILLISECONDS));
        try {
            writeFully(now, WorkerProtocol.cancel(job.request().execution()));
        } catch (IOException e) {
            // The worker's thread sees the same end.
        }
    }

    /** The zygote reports the end of the process, or its own. */
    void onExit(Death death) {
        exited.complete(death);
        SocketChannel now = channel;
        if (now != null && !start.isDone()) {
            // Why it does not load may still stand in the socket. Its thread reads up to the end, and tells.
            Thread.startVirtualThread(() -> closeAfter(now, EXIT_WAIT));
        } else {
            begun(new Start.Died(told(death)));
            wake();
            if (now != null && current == null) {
                WorkerServer.close(now);
            }
        }
        owner.gone(this);
    }

    /** The zygote could not fork it. */
    void onSpawnFailed(String reason) {
        onExit(Death.lost("the worker could not be forked: " + reason));
    }

    /** The life of the worker's thread, from the first frame after hello on. */
    void serve(SocketChannel connection, WorkerProtocol protocol, ByteBuffer buffer, List<WorkerEvent> more) {
        channel = connection;
        Connection wire = new Connection(connection, protocol, buffer, more);
        try {
            boolean usable = load(wire);
            while (usable) {
                Optional<Job> next = inbox.take();
                usable = next.isPresent() && execute(next.get(), wire);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            WorkerServer.close(connection);
            zygote.kill(id);
        }
    }

    /** A timer task that finds out by itself whether it is still needed. */
    private static void later(ScheduledFuture<?> task) {
        Objects.requireNonNull(task);
    }

    private static void closeAfter(SocketChannel socket, Duration wait) {
        try {
            Thread.sleep(wait);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        WorkerServer.close(socket);
    }

    private void wake() {
        // A full inbox wakes the thread as well.
        boolean _ = inbox.offer(Optional.empty());
    }

    /** True when this is how it began: said once, the first time counts. */
    private boolean begun(Start how) {
        boolean first = start.complete(how);
        if (first) {
            owner.started(this, how);
        }
        return first;
    }

    private boolean load(Connection wire) {
        try {
            switch (wire.next()) {
                case WorkerEvent.Ready ready -> {
                    return begun(new Start.Loaded(ready));
                }
                case WorkerEvent.LoadFailed failed -> begun(new Start.Refused(failed.problems()));
                case WorkerEvent.Broken broken ->
                    begun(new Start.Died(
                            Death.lost("the worker broke the protocol while loading: " + broken.reason())));
                case WorkerEvent.Hello ignored -> begun(new Start.Died(Death.lost("a second hello")));
                case WorkerEvent.Log ignored -> begun(new Start.Died(Death.lost("a log entry before ready")));
                case WorkerEvent.Chunk ignored -> begun(new Start.Died(Death.lost("a chunk before ready")));
                case WorkerEvent.Result ignored -> begun(new Start.Died(Death.lost("a result before ready")));
            }
        } catch (IOException e) {
            begun(new Start.Died(death(EXIT_WAIT)));
        }
        return false;
    }

    /** Runs one job; true when the worker may have another. */
    private boolean execute(Job job, Connection wire) {
        current = job;
        long handed = System.nanoTime();
        boolean cold = executions++ == 0;
        ScheduledFuture<?> deadline = timer.schedule(
                () -> end(
                        job,
                        ErrorCode.TIMEOUT,
                        "the execution passed its deadline of " + job.timeout().toMillis() + " ms"),
                job.timeout().plus(settings.times().deadlineGrace()).toMillis(),
                TimeUnit.MILLISECONDS);
        ExecutionOutcome outcome;
        boolean usable = false;
        EgressGrant grant = new EgressGrant(
                job.hosts(),
                job::tellEgress,
                settings.egress(),
                job.request().plane().map(PlaneAccess::door));
        try {
            job.tellStarted(id, isolation, cold);
            grantEgress(grant);
            wire.send(job);
            if (job.cancelRequested()) {
                cancel(job);
            }
            WorkerEvent event = tellOn(job, wire);
            if (event instanceof WorkerEvent.Result result) {
                if (job.decide(Job.End.ANSWERED)) {
                    outcome = answer(job, result);
                    // Processes that a call left behind end with the worker, and with nothing else.
                    usable = !result.tainted() && !profile.subprocess() && !worn(result.usage());
                } else {
                    outcome = ended(job, handed);
                }
            } else {
                String reason = event instanceof WorkerEvent.Broken broken ? broken.reason() : "unexpected " + event;
                boolean _ = job.decide(new Job.End(ErrorCode.WORKER_LOST, "the worker broke the protocol: " + reason));
                zygote.kill(id);
                outcome = ended(job, handed);
            }
        } catch (IOException e) {
            outcome = lost(job, handed);
        } finally {
            deadline.cancel(false);
            grantEgress(null);
            grant.end();
            usable = usable && egressSettles();
            current = null;
        }
        spent = !usable;
        owner.finished(this, usable);
        job.settle(outcome);
        return usable;
    }

    /** Tells what the worker says while it runs; the first event that is something else. */
    private static WorkerEvent tellOn(Job job, Connection wire) throws IOException {
        while (true) {
            switch (wire.next()) {
                case WorkerEvent.Log(var entry) -> job.tellLog(entry);
                case WorkerEvent.Chunk(var data) -> job.tellChunk(data);
                case WorkerEvent other -> {
                    return other;
                }
            }
        }
    }

    private void grantEgress(@Nullable EgressGrant grant) {
        EgressChannel channel = egress;
        if (channel != null) {
            channel.serves(grant);
        }
    }

    /** A worker that broke the rules of its way out, or does not read it, has none any more, and the next call would find that out. */
    private boolean egressSettles() {
        EgressChannel channel = egress;
        return !profile.network() || (channel != null && channel.settle(EGRESS_WAIT));
    }

    private ExecutionOutcome answer(Job job, WorkerEvent.Result result) {
        cpuMs += result.usage().cpuMs();
        if (job.cancelRequested() && !result.ok()) {
            return new ExecutionOutcome.Ended(ErrorCode.CANCELLED, "the execution was cancelled", result.usage());
        }
        return new ExecutionOutcome.Answered(
                result.envelope(), result.ok(), result.httpStatus(), result.errorCode(), result.usage());
    }

    private boolean worn(Usage usage) {
        return executions >= settings.recycling().executionsPerWorkerMax()
                || usage.maxRssBytes() > settings.recycling().workerRssBytesMax()
                || zygote.retired();
    }

    /** The outcome when the server decided to kill. */
    private ExecutionOutcome ended(Job job, long handed) {
        Death death = death(USAGE_WAIT);
        Job.End why = job.decided().orElse(new Job.End(death.code(), death.detail()));
        return new ExecutionOutcome.Ended(why.code(), why.detail(), usage(death, handed));
    }

    /** The outcome when the connection ended: by the server's decision, or the process's own doing. */
    private ExecutionOutcome lost(Job job, long handed) {
        if (job.decided().isEmpty()) {
            Death death = death(EXIT_WAIT);
            boolean _ = job.decide(
                    job.cancelRequested()
                            ? new Job.End(ErrorCode.CANCELLED, "the execution was cancelled")
                            : new Job.End(death.code(), death.detail()));
        }
        return ended(job, handed);
    }

    private Usage usage(Death death, long handed) {
        long wall = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - handed);
        return new Usage(Math.max(0, death.cpuMs() - cpuMs), wall, death.maxRssBytes());
    }

    private Death death(Duration limit) {
        try {
            return told(exited.get(limit.toMillis(), TimeUnit.MILLISECONDS));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Death.lost("the server stops");
        } catch (ExecutionException | TimeoutException e) {
            Death known = verdict;
            return known != null ? known : Death.lost("the worker closed its connection");
        }
    }

    /** Why the process ended: the server's own reason to kill it, unless a limit had stopped it before. */
    private Death told(Death death) {
        Death known = verdict;
        return known == null || death.code() == ErrorCode.MEMORY_LIMIT ? death : known;
    }

    private static void writeFully(SocketChannel to, byte[] frame) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(frame);
        // One call on a blocking channel writes all of it under the channel's own write lock, so frames never mix.
        while (bytes.hasRemaining()) {
            to.write(bytes);
        }
    }

    /** The socket with the machine that reads it; used by the worker's thread alone. */
    private static final class Connection {
        private final SocketChannel socket;
        private final WorkerProtocol protocol;
        private final ByteBuffer buffer;
        private final Deque<WorkerEvent> events;

        Connection(SocketChannel socket, WorkerProtocol protocol, ByteBuffer buffer, List<WorkerEvent> events) {
            this.socket = socket;
            this.protocol = protocol;
            this.buffer = buffer;
            this.events = new ArrayDeque<>(events);
        }

        void send(Job job) throws IOException {
            HydrationRequest request = job.request();
            writeFully(
                    socket,
                    protocol.invoke(
                            request.execution(),
                            request.runnerRequest(),
                            request.environment(),
                            request.plane().map(PlaneAccess::credentials),
                            job.takesChunks()));
        }

        WorkerEvent next() throws IOException {
            while (events.isEmpty()) {
                if (socket.read(buffer.clear()) < 0) {
                    throw new IOException("the worker closed its connection");
                }
                events.addAll(protocol.receive(buffer.flip()));
            }
            return events.remove();
        }
    }
}
