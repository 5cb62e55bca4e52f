package io.aiel.plane.hydrator;

import io.aiel.plane.hydrator.protocol.WorkerEvent;
import io.aiel.plane.hydrator.protocol.WorkerLimits;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionOutcome;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.Usage;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Deque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The hydrator whose workers are processes forked from zygotes. Workers are pooled per project and snapshot; the pools share one
 * cap, and when it is reached an idle worker makes room, least recently used first, and the project with the fewest running
 * executions goes first.
 *
 * <p>Threads: each worker has one, a timer keeps deadlines, starts of workers run on virtual threads. All pool state is under one
 * lock, and nothing that could block happens under it.
 */
public final class ProcessHydrator implements Hydrator {
    private static final System.Logger LOG = System.getLogger(ProcessHydrator.class.getName());
    private static final int DESCRIBES_WAITING_MAX = 64;
    private static final String UNPROTECTED =
            "isolation is 'none': what is pushed to this server may read, change and send"
                    + " whatever the server's user may. For one developer's own code only; leave out isolation=none to be protected";
    /** A warm worker is given up for another project's sake only after this wait, so that two busy projects do not take turns. */
    private static final Duration SWITCH_AFTER = Duration.ofMillis(100);

    private final HydratorSettings settings;
    private final Consumer<String> progress;
    private final ScheduledThreadPoolExecutor timer;
    private final ExecutorService starts = Executors.newVirtualThreadPerTaskExecutor();
    private final SnapshotStore store;
    private final WorkerServer server;
    private final Map<String, Zygotes> bundles = new ConcurrentHashMap<>();
    private final CompletableFuture<HydratorStatus> started = new CompletableFuture<>();
    private final Semaphore describes;
    private final AtomicInteger describesWaiting = new AtomicInteger();
    private final AtomicLong workerNumbers = new AtomicLong();
    private final int slots;
    private volatile String notReady = "worker bundles are being installed";
    private volatile JsonText isolation = new JsonText("{}");

    private final ReentrantLock lock = new ReentrantLock();
    // Under the lock:
    private final Map<PoolKey, Pool> pools = new LinkedHashMap<>();
    private final BitSet usedSlots = new BitSet();
    private final Map<ProjectScope, Long> served = new HashMap<>();
    private long servings;
    private int waiting;
    private boolean closed;

    /** Workers of one key. All fields under the lock. */
    private static final class Pool implements Worker.Owner {
        final PoolKey key;
        final ProcessHydrator hydrator;
        final Deque<Worker> idle = new ArrayDeque<>();
        final Deque<Job> jobs = new ArrayDeque<>();
        final Map<Worker, Boolean> busy = new HashMap<>();
        int starting;

        Pool(PoolKey key, ProcessHydrator hydrator) {
            this.key = key;
            this.hydrator = hydrator;
        }

        int active() {
            return busy.size() + starting;
        }

        int size() {
            return idle.size() + active();
        }

        @Override
        public void started(Worker worker, Worker.Start start) {
            hydrator.onStarted(this, worker, start);
        }

        @Override
        public void finished(Worker worker, boolean usable) {
            hydrator.onFinished(this, worker, usable);
        }

        @Override
        public void gone(Worker worker) {
            hydrator.onGone(this, worker);
        }
    }

    /** An owner of a worker that belongs to no pool. */
    private final class Single implements Worker.Owner {
        @Override
        public void started(Worker worker, Worker.Start start) {}

        @Override
        public void finished(Worker worker, boolean usable) {}

        @Override
        public void gone(Worker worker) {
            release(worker);
        }
    }

    private ProcessHydrator(HydratorSettings settings, SnapshotSource source, Consumer<String> progress)
            throws HydratorFailure {
        this.settings = settings;
        this.progress = progress;
        this.slots = settings.pools().workersMax() * 2 + settings.pools().describesMax() * 2 + 4;
        this.describes = new Semaphore(settings.pools().describesMax());
        Path data = settings.dataDir().toAbsolutePath();
        this.store = new SnapshotStore(
                data.resolve("store"),
                source,
                settings.storeBytesMax(),
                settings.times().startMax());
        this.timer = new ScheduledThreadPoolExecutor(
                1, Thread.ofPlatform().daemon().name("hydrator-timer").factory());
        timer.setRemoveOnCancelPolicy(true);
        try {
            this.server = new WorkerServer(data.resolve("run"), timer, settings.limits());
        } catch (HydratorFailure e) {
            timer.shutdownNow();
            throw e;
        }
        long look = Math.clamp(settings.times().idle().toMillis() / 4, 50, 30_000);
        Future<?> _ = timer.scheduleWithFixedDelay(() -> guarded(this::reap), look, look, TimeUnit.MILLISECONDS);
    }

    /**
     * Starts a hydrator. Returns at once; installing bundles, starting zygotes and the self-test go on in the background, and
     * {@link #status} is ready when they are through.
     *
     * @param progress told one line at a time what the installation does, on a background thread
     * @throws HydratorFailure when the data folder cannot be used
     */
    public static ProcessHydrator start(HydratorSettings settings, SnapshotSource source, Consumer<String> progress)
            throws HydratorFailure {
        ProcessHydrator hydrator = new ProcessHydrator(settings, source, progress);
        Thread.ofVirtual().name("hydrator-start").start(hydrator::prepare);
        return hydrator;
    }

    /** Completes with the status when the start is through, well or not. */
    public CompletionStage<HydratorStatus> started() {
        return started.minimalCompletionStage();
    }

    private void prepare() {
        try {
            Python python = Python.find(settings.python(), System.getenv());
            Path code = WorkerCode.extract(settings.dataDir().toAbsolutePath().resolve("python"));
            BundleInstaller installer = new BundleInstaller(
                    settings.dataDir().toAbsolutePath(),
                    python,
                    settings.times().installMax(),
                    progress);
            for (String name : settings.bundles()) {
                Path bundle = installer.install(name);
                notReady = "the fork server of bundle " + name + " is starting";
                Zygote.Place place = new Zygote.Place(
                        python.executable(), code, bundle, store.root(), server.path(), server.folder(), slots);
                Zygotes zygotes = new Zygotes(place, settings, this::onNewZygote);
                lock.lock();
                try {
                    if (closed) {
                        starts.execute(zygotes::close);
                        return;
                    }
                    bundles.put(name, zygotes);
                } finally {
                    lock.unlock();
                }
                Zygote zygote = zygotes.take(Duration.ofSeconds(40));
                isolation = zygote.isolation();
            }
            if (unprotected()) {
                LOG.log(System.Logger.Level.WARNING, UNPROTECTED);
                progress.accept("WARNING: " + UNPROTECTED);
            }
            String first = settings.bundles().getFirst();
            Optional<String> escaped =
                    unprotected() ? Optional.empty() : new SelfTest(this, settings, first, progress).run();
            notReady = escaped.map(why -> "the self-test of the sandbox failed: " + why)
                    .orElse("");
        } catch (HydratorFailure e) {
            notReady = String.valueOf(e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            notReady = "the start was interrupted";
        } catch (RuntimeException e) {
            LOG.log(System.Logger.Level.ERROR, "the start of the hydrator failed", e);
            notReady = "the start of the hydrator failed, the log says why: " + e;
        }
        if (!notReady.isEmpty()) {
            LOG.log(System.Logger.Level.ERROR, "workers are not ready: {0}", notReady);
        }
        started.complete(status());
    }

    // ---- the door

    @Override
    public RunningExecution run(HydrationRequest request, Decision.Allow allow, WorkerListener listener) {
        Duration timeout = request.timeout();
        if (allow.obligations().timeoutMs().isPresent()) {
            Duration most = Duration.ofMillis(allow.obligations().timeoutMs().getAsInt());
            timeout = timeout.compareTo(most) <= 0 ? timeout : most;
        }
        long memory = settings.limits().memoryBytes();
        if (allow.obligations().maxMemoryMb().isPresent()) {
            memory = Math.min(memory, (long) allow.obligations().maxMemoryMb().getAsInt() << 20);
        }
        PoolKey key = new PoolKey(
                request.target().scope(),
                request.target().snapshot().digest(),
                request.target().snapshot().snapshotId(),
                request.target().bundle(),
                memory);
        Job job = new Job(request, timeout, listener, this::cancel);
        if (!notReady.isEmpty()) {
            job.settle(new ExecutionOutcome.Ended(ErrorCode.NOT_READY, notReady, Usage.NONE));
            return job;
        }
        if (!bundles.containsKey(key.bundle())) {
            job.settle(new ExecutionOutcome.Ended(
                    ErrorCode.NOT_READY, "this server has no worker bundle named " + key.bundle(), Usage.NONE));
            return job;
        }
        submit(key, job);
        return job;
    }

    private void submit(PoolKey key, Job job) {
        List<Runnable> after = new ArrayList<>();
        lock.lock();
        try {
            if (closed) {
                after.add(() -> end(job, ErrorCode.NOT_READY, "the server stops"));
            } else {
                Pool pool = pools.computeIfAbsent(key, absent -> new Pool(absent, this));
                Worker worker = pool.idle.pollLast();
                if (worker != null) {
                    hand(pool, worker, job, after);
                } else if (waiting >= settings.pools().queueMax()) {
                    after.add(() -> end(
                            job,
                            ErrorCode.CAPACITY_EXHAUSTED,
                            "all workers are busy and " + settings.pools().queueMax() + " requests wait already"));
                } else {
                    pool.jobs.addLast(job);
                    waiting++;
                    schedule(after);
                    long most = settings.times().queueMax().toMillis();
                    after.add(() -> later(() -> waitedTooLong(pool, job, false), most));
                }
            }
        } finally {
            lock.unlock();
        }
        after.forEach(Runnable::run);
    }

    @Override
    public CompletionStage<DescribeReport> describe(SnapshotFiles files) {
        CompletableFuture<DescribeReport> report = new CompletableFuture<>();
        if (!notReady.isEmpty()) {
            report.complete(new DescribeReport.Unavailable(ErrorCode.NOT_READY, notReady));
            return report;
        }
        if (describesWaiting.incrementAndGet() > DESCRIBES_WAITING_MAX) {
            describesWaiting.decrementAndGet();
            report.complete(new DescribeReport.Unavailable(
                    ErrorCode.CAPACITY_EXHAUSTED, "too many snapshots wait for validation; try again later"));
            return report;
        }
        starts.execute(() -> {
            try {
                report.complete(describeNow(files));
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                report.complete(new DescribeReport.Unavailable(ErrorCode.NOT_READY, "the server stops"));
            } catch (RuntimeException e) {
                LOG.log(System.Logger.Level.ERROR, "describing a snapshot failed", e);
                report.complete(new DescribeReport.Unavailable(ErrorCode.INTERNAL, "the validation failed; try again"));
            } finally {
                describesWaiting.decrementAndGet();
            }
        });
        return report;
    }

    private DescribeReport describeNow(SnapshotFiles files) throws InterruptedException {
        long wait = settings.times().queueMax().toMillis()
                + settings.times().describeMax().toMillis();
        if (!describes.tryAcquire(wait, TimeUnit.MILLISECONDS)) {
            return new DescribeReport.Unavailable(ErrorCode.CAPACITY_EXHAUSTED, "no worker for validation became free");
        }
        try {
            Worker worker = single(files, settings.limits());
            try {
                Worker.Start start =
                        worker.start().get(settings.times().describeMax().toMillis(), TimeUnit.MILLISECONDS);
                return report(start);
            } catch (TimeoutException e) {
                return rejected(
                        ErrorCode.TIMEOUT,
                        "loading the snapshot did not end within "
                                + settings.times().describeMax().toMillis() + " ms");
            } finally {
                worker.stop();
            }
        } catch (HydratorFailure e) {
            return new DescribeReport.Unavailable(ErrorCode.NOT_READY, String.valueOf(e.getMessage()));
        } catch (ExecutionException e) {
            throw new IllegalStateException("a start never fails exceptionally", e);
        } finally {
            describes.release();
        }
    }

    private static DescribeReport report(Worker.Start start) {
        return switch (start) {
            case Worker.Start.Loaded(WorkerEvent.Ready ready) ->
                new DescribeReport.Loaded(
                        ready.snapshotId(),
                        ready.describe(),
                        ready.exports(),
                        ready.sdkVersion(),
                        ready.runtimeVersion(),
                        ready.loadMs());
            case Worker.Start.Refused(List<WorkerEvent.Problem> problems)
            when sandboxFailed(problems) ->
                new DescribeReport.Unavailable(
                        ErrorCode.NOT_READY, problems.getFirst().message());
            case Worker.Start.Refused(List<WorkerEvent.Problem> problems) ->
                new DescribeReport.Rejected(problems.stream()
                        .map(problem -> new DescribeReport.Finding(
                                problem.code(), problem.message(), problem.file(), problem.line()))
                        .toList());
            case Worker.Start.Died(Death death) -> rejected(death.code(), "loading the snapshot: " + death.detail());
        };
    }

    private static boolean sandboxFailed(List<WorkerEvent.Problem> problems) {
        return problems.getFirst().code().equals("WORKER_START_FAILED");
    }

    private static DescribeReport rejected(ErrorCode code, String message) {
        return new DescribeReport.Rejected(
                List.of(new DescribeReport.Finding(code.name(), message, Optional.empty(), Optional.empty())));
    }

    /** The socket that workers connect back to. */
    Path socket() {
        return server.path();
    }

    /** A worker outside of the pools, loading; blocks until it is forked for. The caller stops it. */
    Worker single(SnapshotFiles files, WorkerLimits limits) throws HydratorFailure, InterruptedException {
        return spawn(store.lease(files), files.bundle(), new Single(), limits, "");
    }

    /** Likewise, with the files' bytes at hand. */
    Worker single(SnapshotFiles files, Map<Digest, byte[]> blobs, WorkerLimits limits)
            throws HydratorFailure, InterruptedException {
        SnapshotStore.Lease lease = store.lease(files, blobs);
        return spawn(lease, files.bundle(), new Single(), limits, "");
    }

    @Override
    public HydratorStatus status() {
        int idle = 0;
        int busy = 0;
        lock.lock();
        try {
            for (Pool pool : pools.values()) {
                idle += pool.idle.size();
                busy += pool.busy.size();
            }
        } finally {
            lock.unlock();
        }
        String trouble = notReady;
        for (Map.Entry<String, Zygotes> bundle : bundles.entrySet()) {
            if (trouble.isEmpty() && bundle.getValue().now().isEmpty()) {
                String why = bundle.getValue().trouble();
                trouble = why.isEmpty() ? "the fork server is being replaced" : why;
            }
        }
        boolean ready = trouble.isEmpty();
        String summary = unprotected() ? UNPROTECTED : "isolation " + settings.tier() + " holds";
        return new HydratorStatus(ready, ready ? summary : trouble, isolation, idle, busy);
    }

    /** Whether the operator asked, by name, for no isolation. */
    private boolean unprotected() {
        return settings.tier().equals("none");
    }

    @Override
    public void close() {
        List<Job> left = new ArrayList<>();
        lock.lock();
        try {
            if (closed) {
                return;
            }
            closed = true;
            notReady = "the server stops";
            for (Pool pool : pools.values()) {
                left.addAll(pool.jobs);
                pool.jobs.clear();
            }
            waiting = 0;
        } finally {
            lock.unlock();
        }
        left.forEach(job -> end(job, ErrorCode.NOT_READY, "the server stops"));
        List<Thread> closing = new ArrayList<>();
        for (Zygotes zygotes : bundles.values()) {
            closing.add(Thread.ofVirtual().start(zygotes::close));
        }
        try {
            for (Thread thread : closing) {
                thread.join(settings.times().stopMax().plusSeconds(10));
            }
            starts.shutdown();
            if (!starts.awaitTermination(2, TimeUnit.SECONDS)) {
                starts.shutdownNow();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            starts.shutdownNow();
        }
        server.close();
        timer.shutdownNow();
        started.complete(status());
    }

    // ---- pools

    /** Puts waiting jobs on workers as far as the limits go. Under the lock; what may block is added to {@code after}. */
    private void schedule(List<Runnable> after) {
        while (!closed) {
            for (Pool pool : pools.values()) {
                while (!pool.jobs.isEmpty() && !pool.idle.isEmpty() && !otherProjectFirst(pool)) {
                    Worker worker = pool.idle.removeLast();
                    Job job = pool.jobs.removeFirst();
                    waiting--;
                    hand(pool, worker, job, after);
                }
            }
            Pool next = mostDeserving();
            if (next == null) {
                return;
            }
            if (live() >= settings.pools().workersMax() || projectSize(next.key.scope()) >= projectMax()) {
                boolean own = projectSize(next.key.scope()) >= projectMax();
                Worker victim = evict(own ? next.key.scope() : null);
                if (victim == null) {
                    return;
                }
                after.add(victim::stop);
            }
            next.starting++;
            after.add(() -> starts.execute(() -> begin(next)));
        }
    }

    private void hand(Pool pool, Worker worker, Job job, List<Runnable> after) {
        pool.busy.put(worker, true);
        served.put(pool.key.scope(), ++servings);
        after.add(() -> worker.hand(job));
    }

    private int projectMax() {
        return Math.min(
                settings.pools().workersPerProjectMax(), settings.pools().workersMax());
    }

    private int live() {
        int sum = 0;
        for (Pool pool : pools.values()) {
            sum += pool.size();
        }
        return sum;
    }

    private int projectSize(ProjectScope scope) {
        int sum = 0;
        for (Pool pool : pools.values()) {
            sum += pool.key.scope().equals(scope) ? pool.size() : 0;
        }
        return sum;
    }

    private int projectActive(ProjectScope scope) {
        int sum = 0;
        for (Pool pool : pools.values()) {
            sum += pool.key.scope().equals(scope) ? pool.active() : 0;
        }
        return sum;
    }

    /**
     * True when all room is taken and another project should have this pool's worker: one that runs less, or one that runs as
     * little, was served longer ago and has waited long enough to be worth a new worker.
     */
    private boolean otherProjectFirst(Pool pool) {
        if (live() < settings.pools().workersMax()) {
            return false;
        }
        Pool other = mostDeserving();
        if (other == null || other.key.scope().equals(pool.key.scope())) {
            return false;
        }
        int difference = Integer.compare(projectActive(other.key.scope()), projectActive(pool.key.scope()));
        return difference < 0
                || (difference == 0
                        && lastServed(other) < lastServed(pool)
                        && System.nanoTime() - other.jobs.getFirst().created() > SWITCH_AFTER.toNanos());
    }

    private long lastServed(Pool pool) {
        return served.getOrDefault(pool.key.scope(), 0L);
    }

    /** The pool whose first job no worker is coming for and that may have one more: fewest running first, then longest unserved. */
    private @Nullable Pool mostDeserving() {
        Pool best = null;
        int bestActive = 0;
        for (Pool pool : pools.values()) {
            if (pool.jobs.size() <= pool.starting + pool.idle.size()
                    || pool.size() >= settings.pools().workersPerSnapshotMax()
                    || (projectSize(pool.key.scope()) >= projectMax() && idleOf(pool.key.scope()) == 0)) {
                continue;
            }
            int active = projectActive(pool.key.scope());
            int order = best == null ? -1 : Integer.compare(active, bestActive);
            if (best != null && order == 0) {
                order = Long.compare(lastServed(pool), lastServed(best));
                if (order == 0) {
                    order = Long.signum(pool.jobs.getFirst().created()
                            - best.jobs.getFirst().created());
                }
            }
            if (order < 0) {
                best = pool;
                bestActive = active;
            }
        }
        return best;
    }

    private int idleOf(ProjectScope scope) {
        int sum = 0;
        for (Pool pool : pools.values()) {
            sum += pool.key.scope().equals(scope) ? pool.idle.size() : 0;
        }
        return sum;
    }

    /** Takes the least recently used idle worker out of its pool; of this project only, when one is named. */
    private @Nullable Worker evict(@Nullable ProjectScope only) {
        Pool from = null;
        Worker oldest = null;
        for (Pool pool : pools.values()) {
            if (only != null && !pool.key.scope().equals(only)) {
                continue;
            }
            Worker first = pool.idle.peekFirst();
            if (first != null && (oldest == null || first.idleSince() - oldest.idleSince() < 0)) {
                oldest = first;
                from = pool;
            }
        }
        if (from != null) {
            from.idle.removeFirst();
        }
        return oldest;
    }

    /** Starts one worker for a pool; blocks, on a virtual thread. */
    private void begin(Pool pool) {
        SnapshotStore.Lease lease = null;
        try {
            lease = store.lease(pool.key.snapshot());
            WorkerLimits limits = settings.limits().atMostMemory(pool.key.memoryBytes());
            Worker worker = spawn(lease, pool.key.bundle(), pool, limits, pool.key.snapshotId());
            Duration most = settings.times().startMax();
            later(
                    () -> worker.giveUpStart(new Death(
                            ErrorCode.TIMEOUT, "the snapshot did not load within " + most.toMillis() + " ms", 0, 0)),
                    most.toMillis());
        } catch (HydratorFailure e) {
            startFailed(pool, ErrorCode.NOT_READY, String.valueOf(e.getMessage()));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            startFailed(pool, ErrorCode.NOT_READY, "the server stops");
        } catch (RuntimeException e) {
            LOG.log(System.Logger.Level.ERROR, "starting a worker failed", e);
            startFailed(pool, ErrorCode.INTERNAL, "a worker could not be started");
        }
    }

    /** Forks a worker. Owns the lease from now on, also when it fails. */
    private Worker spawn(
            SnapshotStore.Lease lease, String bundle, Worker.Owner owner, WorkerLimits limits, String snapshotId)
            throws HydratorFailure, InterruptedException {
        boolean done = false;
        int slot = -1;
        try {
            Zygotes zygotes = bundles.get(bundle);
            if (zygotes == null) {
                throw new HydratorFailure("this server has no worker bundle named " + bundle);
            }
            Zygote zygote = zygotes.take(settings.times().startMax());
            slot = takeSlot();
            Worker worker = new Worker(
                    "w" + workerNumbers.incrementAndGet(), server.nonce(), slot, zygote, lease, owner, settings, timer);
            server.expect(worker);
            done = true;
            zygote.spawn(worker, limits, snapshotId);
            return worker;
        } finally {
            if (!done) {
                lease.close();
                if (slot >= 0) {
                    freeSlot(slot);
                }
            }
        }
    }

    private int takeSlot() throws HydratorFailure {
        lock.lock();
        try {
            int slot = usedSlots.nextClearBit(0);
            if (slot >= slots) {
                throw new HydratorFailure("too many workers are still ending");
            }
            usedSlots.set(slot);
            return slot;
        } finally {
            lock.unlock();
        }
    }

    private void freeSlot(int slot) {
        lock.lock();
        try {
            usedSlots.clear(slot);
        } finally {
            lock.unlock();
        }
    }

    /** A worker's process is gone: what it had is free. */
    private void release(Worker worker) {
        server.forget(worker);
        worker.snapshot().close();
        freeSlot(worker.slot());
    }

    private void onStarted(Pool pool, Worker worker, Worker.Start start) {
        switch (start) {
            case Worker.Start.Loaded ignored -> {
                List<Runnable> after = new ArrayList<>();
                lock.lock();
                try {
                    pool.starting--;
                    free(pool, worker, after);
                } finally {
                    lock.unlock();
                }
                after.forEach(Runnable::run);
            }
            case Worker.Start.Refused(List<WorkerEvent.Problem> problems) -> {
                WorkerEvent.Problem first = problems.getFirst();
                ErrorCode code = sandboxFailed(problems)
                        ? ErrorCode.NOT_READY
                        : first.code().equals("SECURITY_VIOLATION")
                                ? ErrorCode.SECURITY_VIOLATION
                                : ErrorCode.USER_CODE_ERROR;
                String place = first.file()
                        .map(file -> " (" + file
                                + first.line().map(line -> ":" + line).orElse("") + ")")
                        .orElse("");
                startFailed(pool, code, "the snapshot does not load: " + first.message() + place);
            }
            case Worker.Start.Died(Death death) ->
                startFailed(pool, death.code(), "the snapshot does not load: " + death.detail());
        }
    }

    /** Each start was made for a job; when it fails, so does the job that waited longest. */
    private void startFailed(Pool pool, ErrorCode code, String detail) {
        List<Runnable> after = new ArrayList<>();
        lock.lock();
        try {
            pool.starting--;
            Job job = pool.jobs.pollFirst();
            if (job != null) {
                waiting--;
                after.add(() -> end(job, code, detail));
            }
            schedule(after);
        } finally {
            lock.unlock();
        }
        after.forEach(Runnable::run);
    }

    private void onFinished(Pool pool, Worker worker, boolean usable) {
        List<Runnable> after = new ArrayList<>();
        lock.lock();
        try {
            pool.busy.remove(worker);
            if (usable) {
                free(pool, worker, after);
            } else {
                after.add(worker::stop);
                schedule(after);
            }
        } finally {
            lock.unlock();
        }
        after.forEach(Runnable::run);
    }

    /** A worker has nothing to do. Under the lock. */
    private void free(Pool pool, Worker worker, List<Runnable> after) {
        if (closed || worker.exited() || worker.zygote().retired()) {
            after.add(worker::stop);
        } else {
            worker.nowIdle();
            pool.idle.addLast(worker);
        }
        schedule(after);
    }

    private void onGone(Pool pool, Worker worker) {
        release(worker);
        List<Runnable> after = new ArrayList<>();
        lock.lock();
        try {
            pool.idle.remove(worker);
            schedule(after);
        } finally {
            lock.unlock();
        }
        after.forEach(Runnable::run);
    }

    private void waitedTooLong(Pool pool, Job job, boolean lastTime) {
        List<Runnable> after = new ArrayList<>();
        lock.lock();
        try {
            if (!pool.jobs.contains(job)) {
                return;
            }
            if (!lastTime && pool.starting > 0) {
                // A worker for it is on its way, and that has a limit of its own.
                long more = settings.times().startMax().toMillis();
                after.add(() -> later(() -> waitedTooLong(pool, job, true), more));
            } else {
                pool.jobs.remove(job);
                waiting--;
                after.add(() -> end(
                        job,
                        ErrorCode.CAPACITY_EXHAUSTED,
                        "no worker became free within "
                                + settings.times().queueMax().toMillis() + " ms"));
            }
        } finally {
            lock.unlock();
        }
        after.forEach(Runnable::run);
    }

    private void cancel(Job job) {
        List<Runnable> after = new ArrayList<>();
        lock.lock();
        try {
            for (Pool pool : pools.values()) {
                if (pool.jobs.remove(job)) {
                    waiting--;
                    after.add(() -> end(job, ErrorCode.CANCELLED, "the execution was cancelled before it began"));
                }
                for (Worker worker : pool.busy.keySet()) {
                    after.add(() -> worker.cancel(job));
                }
            }
        } finally {
            lock.unlock();
        }
        // A worker that does not read its socket would block the caller.
        Thread.startVirtualThread(() -> after.forEach(Runnable::run));
    }

    /** Ends a job that no worker has. */
    private static void end(Job job, ErrorCode code, String detail) {
        if (job.decide(new Job.End(code, detail))) {
            Thread.startVirtualThread(() -> job.settle(new ExecutionOutcome.Ended(code, detail, Usage.NONE)));
        }
    }

    /** Ends workers that have been idle for long, and forgets empty pools. */
    private void reap() {
        List<Runnable> after = new ArrayList<>();
        lock.lock();
        try {
            long now = System.nanoTime();
            Iterator<Pool> all = pools.values().iterator();
            while (all.hasNext()) {
                Pool pool = all.next();
                while (pool.idle.size() > settings.pools().warmMin()
                        && now - pool.idle.getFirst().idleSince()
                                > settings.times().idle().toNanos()) {
                    Worker worker = pool.idle.removeFirst();
                    after.add(worker::stop);
                }
                if (pool.size() == 0 && pool.jobs.isEmpty()) {
                    all.remove();
                }
            }
            served.keySet()
                    .removeIf(scope ->
                            pools.keySet().stream().noneMatch(key -> key.scope().equals(scope)));
        } finally {
            lock.unlock();
        }
        after.forEach(Runnable::run);
    }

    /** Idle workers of retired zygotes go, so that those can end. */
    private void onNewZygote() {
        List<Runnable> after = new ArrayList<>();
        lock.lock();
        try {
            for (Pool pool : pools.values()) {
                pool.idle.removeIf(worker -> {
                    boolean old = worker.zygote().retired();
                    if (old) {
                        after.add(worker::stop);
                    }
                    return old;
                });
            }
            schedule(after);
        } finally {
            lock.unlock();
        }
        after.forEach(Runnable::run);
    }

    private void later(Runnable task, long ms) {
        if (!timer.isShutdown()) {
            Future<?> _ = timer.schedule(() -> guarded(task), ms, TimeUnit.MILLISECONDS);
        }
    }

    /** A timer keeps what its tasks throw to itself, and repeats no task that threw. */
    private static void guarded(Runnable task) {
        try {
            task.run();
        } catch (RuntimeException e) {
            LOG.log(System.Logger.Level.ERROR, "a timer task failed", e);
        }
    }
}
