package io.aiel.plane.hydrator;

import io.aiel.plane.hydrator.egress.EgressProxy;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionOutcome;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Usage;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;

/**
 * The hydrator whose workers are processes forked from zygotes ({@link WorkerForks}) and pooled per project and snapshot
 * ({@link WorkerPools}). This is its door and its start: what is refused before a worker is asked for, the bundles, the tier, the
 * self-test.
 *
 * <p>Threads: each worker has one, a timer keeps deadlines, starts of workers run on virtual threads.
 */
public final class ProcessHydrator implements Hydrator {
    private static final System.Logger LOG = System.getLogger(ProcessHydrator.class.getName());
    private static final Duration ZYGOTE_START_MAX = Duration.ofSeconds(40);
    private static final String UNPROTECTED =
            "isolation is 'none': what is pushed to this server may read, change and send"
                    + " whatever the server's user may. For one developer's own code only; leave out isolation=none to be protected";

    private final HydratorSettings settings;
    private final Consumer<String> progress;
    private final ScheduledThreadPoolExecutor timer;
    private final ExecutorService starts = Executors.newVirtualThreadPerTaskExecutor();
    private final SnapshotStore store;
    private final EgressProxy egress;
    private final WorkerServer server;
    private final WorkerBundles bundles;
    private final WorkerForks forks;
    private final WorkerPools pools;
    private final Describer describer;
    /** That this process uses the bundles it opened: no collection deletes them. */
    private final Queue<BundleUse> uses = new ConcurrentLinkedQueue<>();

    private final CompletableFuture<HydratorStatus> started = new CompletableFuture<>();
    private final AtomicBoolean closed = new AtomicBoolean();
    private volatile String notReady = "worker bundles are being installed";
    private volatile JsonText isolation = new JsonText("{}");
    /** The tier that was taken; empty until then. */
    private volatile String tier = "";

    private ProcessHydrator(HydratorSettings settings, SnapshotSource source, Consumer<String> progress)
            throws HydratorFailure {
        this.settings = settings;
        this.progress = progress;
        Path data = settings.dataDir().toAbsolutePath();
        this.store = new SnapshotStore(
                data.resolve("store"),
                source,
                settings.storeBytesMax(),
                settings.times().startMax());
        this.timer = new ScheduledThreadPoolExecutor(
                1, Thread.ofPlatform().daemon().name("hydrator-timer").factory());
        timer.setRemoveOnCancelPolicy(true);
        this.egress = new EgressProxy(settings.egress());
        try {
            this.server = new WorkerServer(data.resolve("run"), timer, settings.limits(), egress);
        } catch (HydratorFailure e) {
            timer.shutdownNow();
            egress.close();
            throw e;
        }
        this.bundles = new WorkerBundles(settings.bundles(), new BundleLocks(data));
        this.forks = new WorkerForks(settings, bundles, store, server, timer);
        this.pools = new WorkerPools(settings, forks, starts, timer);
        this.describer = new Describer(settings, bundles, forks, starts);
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
            tier = Tiers.choose(settings, python.executable(), code);
            bundles.openWith(name -> open(name, python, code));
            for (String name : settings.bundles()) {
                Duration most = settings.times().installMax().plus(ZYGOTE_START_MAX);
                isolation = bundles.take(name, most).take(ZYGOTE_START_MAX).isolation();
            }
            if (unprotected()) {
                LOG.log(System.Logger.Level.WARNING, UNPROTECTED);
                progress.accept("WARNING: " + UNPROTECTED);
            }
            String first = settings.bundles().getFirst();
            Optional<String> escaped = unprotected()
                    ? Optional.empty()
                    : new SelfTest(forks, settings.withIsolation(tier), first, server.path(), progress).run();
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

    /** Installs a bundle unless it is there, and starts its fork server. */
    private Zygotes open(String name, Python python, Path code) throws HydratorFailure, InterruptedException {
        Path data = settings.dataDir().toAbsolutePath();
        BundleInstaller installer =
                new BundleInstaller(data, python, settings.times().installMax(), progress);
        BundleLock lock = new BundleLocks(data).find(name);
        Path bundle;
        try {
            // First, so that no collection can come between.
            BundleUse use = BundleUse.of(installer.folder(lock));
            try {
                bundle = installer.install(lock, BundleCheck.Limits.DEFAULT);
                uses.add(use);
            } catch (HydratorFailure | InterruptedException | RuntimeException e) {
                use.close();
                throw e;
            }
        } catch (IOException e) {
            throw new HydratorFailure("the worker bundle " + name + " cannot be marked as used: " + e, e);
        }
        return new Zygotes(
                new Zygote.Place(
                        python.executable(), code, bundle, store.root(), server.path(), server.folder(), forks.slots()),
                settings.withIsolation(tier),
                pools::onNewZygote);
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
                memory,
                profile(request, allow));
        // Its way to the plane's API gives it a network, but no host of the outside that it did not ask for.
        Job job = new Job(
                request,
                timeout,
                request.network() ? allow.obligations().network() : List.of(),
                listener,
                pools::cancel);
        if (!runsWork()) {
            job.settle(new ExecutionOutcome.Ended(ErrorCode.NOT_READY, notReady, Usage.NONE));
            return job;
        }
        Optional<String> impossible = impossible(key.profile(), request);
        if (impossible.isPresent()) {
            job.settle(new ExecutionOutcome.Ended(ErrorCode.ISOLATION_UNAVAILABLE, impossible.get(), Usage.NONE));
            return job;
        }
        if (!bundles.has(key.bundle())) {
            job.settle(new ExecutionOutcome.Ended(
                    ErrorCode.NOT_READY, "this server has no worker bundle named " + key.bundle(), Usage.NONE));
            return job;
        }
        pools.submit(key, job);
        return job;
    }

    /** What was asked for, as far as the policy allows it. */
    private Profile profile(HydrationRequest request, Decision.Allow allow) {
        boolean outside = request.network() && !allow.obligations().network().isEmpty();
        // Tier none has no walls to open.
        return unprotected()
                ? Profile.DEFAULT
                : Profile.of(
                        outside || request.plane().isPresent(),
                        request.subprocess() && allow.obligations().subprocess());
    }

    /** Why this server's tier cannot hold a worker of the profile; empty when it can. */
    private Optional<String> impossible(Profile profile, HydrationRequest request) {
        if (unprotected() && request.plane().isPresent()) {
            return Optional.of("a worker without isolation has no way to the plane's API of its own, which the"
                    + " project's setting worker_api asks for");
        }
        return IsolationFacts.offers(isolation, profile)
                ? Optional.empty()
                : Optional.of("a worker with profile " + profile.wireName() + " cannot be isolated with isolation "
                        + settings.isolation()
                        + " on this server: a network, or the project's setting worker_api, needs namespaces (and as"
                        + " root CAP_NET_ADMIN), processes need namespaces and cgroups");
    }

    @Override
    public CompletionStage<DescribeReport> describe(SnapshotFiles files) {
        return runsWork()
                ? describer.describe(files)
                : CompletableFuture.completedFuture(new DescribeReport.Unavailable(ErrorCode.NOT_READY, notReady));
    }

    @Override
    public Set<String> bundles() {
        return bundles.names();
    }

    @Override
    public void prepare(String bundle) {
        bundles.prepare(bundle);
    }

    /** The socket that workers connect back to. */
    Path socket() {
        return server.path();
    }

    @Override
    public boolean runsWork() {
        return notReady.isEmpty();
    }

    @Override
    public HydratorStatus status() {
        WorkerPools.Count workers = pools.count();
        String trouble = notReady.isEmpty() ? bundles.trouble() : notReady;
        boolean ready = trouble.isEmpty();
        String summary = unprotected() ? UNPROTECTED : "isolation " + tier + " holds";
        return new HydratorStatus(ready, ready ? summary : trouble, isolation, workers.idle(), workers.busy());
    }

    /** Whether the operator asked, by name, for no isolation. */
    private boolean unprotected() {
        return tier.equals(Tiers.NONE);
    }

    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        notReady = "the server stops";
        pools.close();
        try {
            bundles.close(settings.times().stopMax().plusSeconds(10));
            starts.shutdown();
            if (!starts.awaitTermination(2, TimeUnit.SECONDS)) {
                starts.shutdownNow();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            starts.shutdownNow();
        }
        uses.forEach(BundleUse::close);
        server.close();
        egress.close();
        timer.shutdownNow();
        started.complete(status());
    }
}
