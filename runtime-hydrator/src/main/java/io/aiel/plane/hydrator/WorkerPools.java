package io.aiel.plane.hydrator;

import io.aiel.plane.hydrator.protocol.WorkerEvent;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionOutcome;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.Usage;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Workers that wait for jobs, and jobs that wait for workers, per project and snapshot. The pools share one cap; when it is
 * reached an idle worker makes room, least recently used first, and the project with the fewest running executions goes first.
 *
 * <p>Thread-safe: all state is under one lock, and nothing that could block happens under it.
 */
final class WorkerPools {
    private static final System.Logger LOG = System.getLogger(WorkerPools.class.getName());
    private static final int QUEUE_SHARE = 4;
    /** A warm worker is given up for another project's sake only after this wait, so that two busy projects do not take turns. */
    private static final Duration SWITCH_AFTER = Duration.ofMillis(100);

    private final HydratorSettings settings;
    private final WorkerForks forks;
    private final ExecutorService starts;
    private final ScheduledExecutorService timer;

    private final ReentrantLock lock = new ReentrantLock();
    // Under the lock:
    private final Map<PoolKey, Pool> pools = new LinkedHashMap<>();
    private final Map<ProjectScope, Long> served = new HashMap<>();
    private long servings;
    private int waiting;
    private boolean closed;

    /** How many workers there are now. */
    record Count(int idle, int busy) {}

    /** Workers of one key. All fields under the lock. */
    private final class Pool implements Worker.Owner {
        final PoolKey key;
        final Deque<Worker> idle = new ArrayDeque<>();
        final JobLine jobs = new JobLine();
        final Map<Worker, Boolean> busy = new HashMap<>();
        int starting;

        Pool(PoolKey key) {
            this.key = key;
        }

        int active() {
            return busy.size() + starting;
        }

        int size() {
            return idle.size() + active();
        }

        @Override
        public void started(Worker worker, Worker.Start start) {
            onStarted(this, worker, start);
        }

        @Override
        public void finished(Worker worker, boolean usable) {
            onFinished(this, worker, usable);
        }

        @Override
        public void gone(Worker worker) {
            onGone(this, worker);
        }
    }

    /**
     * @param starts where workers are started, which blocks
     * @param timer keeps deadlines, and looks for workers that have been idle for long
     */
    WorkerPools(HydratorSettings settings, WorkerForks forks, ExecutorService starts, ScheduledExecutorService timer) {
        this.settings = settings;
        this.forks = forks;
        this.starts = starts;
        this.timer = timer;
        long look = Math.clamp(settings.times().idle().toMillis() / 4, 50, 30_000);
        Future<?> _ = timer.scheduleWithFixedDelay(() -> guarded(this::reap), look, look, TimeUnit.MILLISECONDS);
    }

    /** Runs the job on a worker of the key's pool, now or when one is free; ends it when too many wait already. */
    void submit(PoolKey key, Job job) {
        List<Runnable> after = new ArrayList<>();
        lock.lock();
        try {
            if (closed) {
                after.add(() -> end(job, ErrorCode.NOT_READY, "the server stops"));
            } else {
                Pool pool = pools.computeIfAbsent(key, Pool::new);
                Worker worker = pool.idle.pollLast();
                if (worker != null) {
                    hand(pool, worker, job, after);
                } else if (waiting >= settings.pools().queueMax()) {
                    after.add(() -> end(
                            job,
                            ErrorCode.CAPACITY_EXHAUSTED,
                            "all workers are busy and " + settings.pools().queueMax() + " requests wait already"));
                } else if (projectWaiting(key.scope()) >= queueShare()) {
                    after.add(() -> end(
                            job,
                            ErrorCode.CAPACITY_EXHAUSTED,
                            "all workers are busy and the project has its share of the queue waiting already"));
                } else {
                    pool.jobs.add(job);
                    waiting++;
                    schedule(after);
                    long most = settings.times().queueMax().toMillis();
                    after.add(() -> job.patience(later(() -> waitedTooLong(pool, job, false), most)));
                }
            }
        } finally {
            lock.unlock();
        }
        after.forEach(Runnable::run);
    }

    Count count() {
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
        return new Count(idle, busy);
    }

    /** Ends the jobs that wait, and takes no more. Workers end with their zygotes. */
    void close() {
        List<Job> left = new ArrayList<>();
        lock.lock();
        try {
            closed = true;
            for (Pool pool : pools.values()) {
                left.addAll(pool.jobs.drain());
            }
            waiting = 0;
        } finally {
            lock.unlock();
        }
        left.forEach(job -> end(job, ErrorCode.NOT_READY, "the server stops"));
    }

    /** Puts waiting jobs on workers as far as the limits go. Under the lock; what may block is added to {@code after}. */
    private void schedule(List<Runnable> after) {
        while (!closed) {
            for (Pool pool : pools.values()) {
                while (!pool.jobs.isEmpty() && !pool.idle.isEmpty() && !otherProjectFirst(pool)) {
                    Job job = Objects.requireNonNull(pool.jobs.poll(), "one that waits");
                    waiting--;
                    hand(pool, pool.idle.removeLast(), job, after);
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
        after.add(() -> {
            job.waitsNoMore();
            worker.hand(job);
        });
    }

    /**
     * How many jobs of one project may wait: four times what is left of the queue. A project that is alone so gets four fifths of
     * it, two get four ninths each, and there is always something left for the next.
     */
    private int queueShare() {
        return QUEUE_SHARE * (settings.pools().queueMax() - waiting);
    }

    private int projectWaiting(ProjectScope scope) {
        int sum = 0;
        for (Pool pool : pools.values()) {
            sum += pool.key.scope().equals(scope) ? pool.jobs.size() : 0;
        }
        return sum;
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
                        && System.nanoTime() - other.jobs.oldest() > SWITCH_AFTER.toNanos());
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
                    order = Long.signum(pool.jobs.oldest() - best.jobs.oldest());
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
        try {
            Worker worker = forks.fork(pool.key, pool);
            Duration most = settings.times().startMax();
            Future<?> _ = later(
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
            case Worker.Start.Refused refused -> {
                WorkerEvent.Problem first = refused.problems().getFirst();
                ErrorCode code = refused.bySandbox()
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

    /** Each start was made for a job; when it fails, so does the one whose turn it is. */
    private void startFailed(Pool pool, ErrorCode code, String detail) {
        List<Runnable> after = new ArrayList<>();
        lock.lock();
        try {
            pool.starting--;
            Job job = pool.jobs.poll();
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
        forks.release(worker);
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
                after.add(() -> job.patience(later(() -> waitedTooLong(pool, job, true), more)));
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

    /** Ends a job that waits, and asks the worker that runs it to; never blocks. */
    void cancel(Job job) {
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
    void onNewZygote() {
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

    private Future<?> later(Runnable task, long ms) {
        return timer.isShutdown()
                ? CompletableFuture.completedFuture(null)
                : timer.schedule(() -> guarded(task), ms, TimeUnit.MILLISECONDS);
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
