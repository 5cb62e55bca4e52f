package io.aiel.plane.hydrator;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.DecisionId;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.ExecutionOutcome;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Obligations;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.ResolvedCapability;
import io.aiel.plane.vocabulary.SnapshotRef;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.WorkspaceId;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;

/** What a test needs around a real hydrator: snapshots in memory, requests, and waits with a limit. */
final class Plane implements AutoCloseable {
    /** Shared by all tests, so that the bundle is installed once; below the build's own folder. */
    static final Path DATA = Path.of(System.getProperty("plane.test.data", "target/hydrator-test"));

    static final JsonMapper JSON = new JsonMapper();
    static final Duration TIMEOUT = Duration.ofSeconds(20);

    private final Snapshots snapshots = new Snapshots();
    private final ProcessHydrator hydrator;
    private final ProjectScope scope = scope();

    /** Snapshots in memory. */
    static final class Snapshots implements SnapshotSource {
        final Map<Digest, SnapshotFiles> files = new ConcurrentHashMap<>();
        final Map<Digest, byte[]> blobs = new ConcurrentHashMap<>();

        SnapshotFiles add(Map<String, String> texts) {
            return add("minimal", texts);
        }

        SnapshotFiles add(String bundle, Map<String, String> texts) {
            List<SnapshotFiles.Entry> entries = new ArrayList<>();
            new TreeMap<>(texts).forEach((path, text) -> {
                byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
                Digest digest = Digest.of(bytes);
                blobs.put(digest, bytes);
                entries.add(new SnapshotFiles.Entry(path, digest, bytes.length));
            });
            SnapshotFiles made = new SnapshotFiles(Digest.of(bundle + entries), bundle, entries);
            files.put(made.key(), made);
            return made;
        }

        @Override
        public CompletionStage<SnapshotFiles> files(Digest snapshot) {
            SnapshotFiles found = files.get(snapshot);
            return found == null
                    ? CompletableFuture.failedFuture(new IOException("no snapshot " + snapshot))
                    : CompletableFuture.completedFuture(found);
        }

        @Override
        public CompletionStage<byte[]> blob(Digest digest) {
            byte[] found = blobs.get(digest);
            return found == null
                    ? CompletableFuture.failedFuture(new IOException("no blob " + digest))
                    : CompletableFuture.completedFuture(found);
        }
    }

    /** Remembers what it was told. */
    static final class Listener implements WorkerListener {
        final List<JsonNode> logs = new CopyOnWriteArrayList<>();
        final CompletableFuture<String> worker = new CompletableFuture<>();
        volatile boolean cold;
        volatile JsonText isolation = new JsonText("{}");

        @Override
        public void started(String workerId, JsonText tier, boolean coldStart) {
            cold = coldStart;
            isolation = tier;
            worker.complete(workerId);
        }

        @Override
        public void log(JsonText entry) {
            logs.add(read(entry));
        }
    }

    private Plane(HydratorSettings settings) throws Exception {
        hydrator = ProcessHydrator.start(settings, snapshots, System.out::println);
        try {
            var _ = hydrator.started().toCompletableFuture().get(10, TimeUnit.MINUTES);
        } catch (Exception e) {
            hydrator.close();
            throw e;
        }
    }

    static Plane start(HydratorSettings settings) throws Exception {
        Plane plane = startWhateverComesOfIt(settings);
        // A zygote that was worn by the self-test may be in replacement at this very moment.
        if (!soon(() -> plane.hydrator.status().ready())) {
            HydratorStatus status = plane.hydrator.status();
            plane.close();
            throw new IllegalStateException(status.detail());
        }
        return plane;
    }

    /** Likewise, but one that is not ready is none the less returned. */
    static Plane startWhateverComesOfIt(HydratorSettings settings) throws Exception {
        return new Plane(settings);
    }

    static HydratorSettings settings() {
        return HydratorSettings.defaults(DATA);
    }

    ProcessHydrator hydrator() {
        return hydrator;
    }

    SnapshotFiles snapshot(String entryPoint) {
        return snapshots.add(Map.of("entry_point.py", entryPoint));
    }

    SnapshotFiles snapshot(Map<String, String> files) {
        return snapshots.add(files);
    }

    Snapshots snapshots() {
        return snapshots;
    }

    ProjectScope project() {
        return scope;
    }

    static ProjectScope scope() {
        return new ProjectScope(TenantId.create(), WorkspaceId.create(), ProjectId.create());
    }

    RunningExecution run(
            ProjectScope project,
            SnapshotFiles snapshot,
            String request,
            Duration timeout,
            Obligations obligations,
            WorkerListener listener) {
        return run(project, snapshot, request, timeout, obligations, listener, false, Optional.empty());
    }

    /** Runs it as what comes out of the queue. */
    RunningExecution runQueued(SnapshotFiles snapshot, String tool, String event) {
        HydrationRequest hydration =
                hydration(scope, snapshot, tool(tool, event), TIMEOUT, false, true, Optional.empty());
        return hydrator.run(hydration, allow(Obligations.NONE), new Listener());
    }

    RunningExecution run(
            ProjectScope project,
            SnapshotFiles snapshot,
            String request,
            Duration timeout,
            Obligations obligations,
            WorkerListener listener,
            boolean network,
            Optional<PlaneAccess> plane) {
        HydrationRequest hydration = hydration(project, snapshot, request, timeout, network, false, plane);
        return hydrator.run(hydration, allow(obligations), listener);
    }

    private static HydrationRequest hydration(
            ProjectScope project,
            SnapshotFiles snapshot,
            String request,
            Duration timeout,
            boolean network,
            boolean queued,
            Optional<PlaneAccess> plane) {
        return new HydrationRequest(
                ExecutionId.create(),
                new ResolvedCapability(
                        project,
                        Optional.of("production"),
                        new SnapshotRef(snapshot.key(), snapshot.key().hex()),
                        snapshot.bundle(),
                        Optional.empty()),
                new JsonText(request),
                timeout,
                Map.of("AIEL_TOKEN", "test-token"),
                network,
                false,
                queued,
                plane);
    }

    RunningExecution run(SnapshotFiles snapshot, String tool, String event, Duration timeout) {
        return run(scope, snapshot, tool(tool, event), timeout, Obligations.NONE, new Listener());
    }

    /** Runs a tool to its end. */
    ExecutionOutcome call(SnapshotFiles snapshot, String tool, String event, Duration timeout) throws Exception {
        return get(run(snapshot, tool, event, timeout));
    }

    ExecutionOutcome call(SnapshotFiles snapshot, String tool, String event) throws Exception {
        return call(snapshot, tool, event, TIMEOUT);
    }

    static ExecutionOutcome get(RunningExecution running) throws Exception {
        return running.outcome().toCompletableFuture().get(60, TimeUnit.SECONDS);
    }

    static String tool(String name, String event) {
        return "{\"schema_version\":\"v1\",\"action\":\"invoke\",\"kind\":\"tool\",\"handler\":\"" + name
                + "\",\"event\":" + event + "}";
    }

    static Decision.Allow allow(Obligations obligations) {
        return new Decision.Allow(
                DecisionId.create(), Digest.of("policy"), new JsonText("{}"), List.of("test"), obligations);
    }

    /** The result of an execution that went well. */
    static JsonNode result(ExecutionOutcome outcome) {
        if (outcome instanceof ExecutionOutcome.Answered answered && answered.ok()) {
            return read(answered.envelope()).path("result");
        }
        throw new AssertionError("expected an answer, got " + text(outcome));
    }

    /** The error code, whoever gave it. */
    static String code(ExecutionOutcome outcome) {
        return switch (outcome) {
            case ExecutionOutcome.Answered answered -> answered.ok() ? "OK" : answered.errorCode();
            case ExecutionOutcome.Ended ended -> ended.code().name();
        };
    }

    static String text(ExecutionOutcome outcome) {
        return outcome instanceof ExecutionOutcome.Answered answered
                ? answered.envelope().value()
                : outcome.toString();
    }

    static JsonNode read(JsonText text) {
        try {
            return JSON.readTree(text.value());
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Waits, at most ten seconds, until it is so. */
    static boolean soon(java.util.function.BooleanSupplier condition) throws InterruptedException {
        return soon(10, condition);
    }

    static boolean soon(int seconds, java.util.function.BooleanSupplier condition) throws InterruptedException {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > until) {
                return false;
            }
            Thread.sleep(5);
        }
        return true;
    }

    @Override
    public void close() {
        hydrator.close();
    }
}
