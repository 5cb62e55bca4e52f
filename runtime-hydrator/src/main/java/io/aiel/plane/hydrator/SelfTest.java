package io.aiel.plane.hydrator;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.ExecutionOutcome;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.ResolvedCapability;
import io.aiel.plane.vocabulary.SnapshotRef;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.WorkspaceId;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/**
 * Tries to escape from a worker, once, before anything of a tenant runs. Each tool of the shipped self-test snapshot tries one
 * way out; the sandbox holds when every one of them ran and none got out. Never run where there is no sandbox: there the attempts
 * would succeed, on the host.
 */
final class SelfTest {
    private static final System.Logger LOG = System.getLogger(SelfTest.class.getName());
    private static final Duration LOAD_MAX = Duration.ofSeconds(20);
    private static final Duration ATTEMPT_MAX = Duration.ofSeconds(10);
    private static final JsonMapper JSON = new JsonMapper();

    private final WorkerForks forks;
    private final HydratorSettings settings;
    private final String bundle;
    private final Path socket;
    private final Consumer<String> progress;

    /** @param socket that workers connect back to, which one of the attempts tries to reach */
    SelfTest(WorkerForks forks, HydratorSettings settings, String bundle, Path socket, Consumer<String> progress) {
        this.forks = forks;
        this.settings = settings;
        this.bundle = bundle;
        this.socket = socket;
        this.progress = progress;
    }

    /** Empty when the sandbox holds; else which attempt got out, or could not be made. */
    Optional<String> run() throws HydratorFailure, InterruptedException {
        SortedMap<String, byte[]> files = ShippedFiles.below("python/plane_worker/selftest", "entry_point.py");
        List<SnapshotFiles.Entry> entries = new ArrayList<>();
        StringBuilder content = new StringBuilder();
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
            Digest digest = Digest.of(file.getValue());
            entries.add(new SnapshotFiles.Entry(file.getKey(), digest, file.getValue().length));
            content.append(file.getKey()).append(' ').append(digest).append('\n');
        }
        SnapshotFiles snapshot = new SnapshotFiles(Digest.of(content.toString()), bundle, entries);
        Map<Digest, byte[]> blobs = new HashMap<>();
        files.values().forEach(bytes -> blobs.put(Digest.of(bytes), bytes));
        Attempts attempts = new Attempts(snapshot, blobs);
        return attempts.run();
    }

    /** One worker and what runs in it; a worker that an attempt cost is replaced. */
    private final class Attempts {
        private final SnapshotFiles snapshot;
        private final Map<Digest, byte[]> blobs;

        Attempts(SnapshotFiles snapshot, Map<Digest, byte[]> blobs) {
            this.snapshot = snapshot;
            this.blobs = blobs;
        }

        Optional<String> run() throws HydratorFailure, InterruptedException {
            Worker worker = start();
            try {
                List<String> tools = tools(worker);
                if (tools.size() < 12) {
                    return Optional.of("it has only " + tools.size() + " attempts");
                }
                for (String tool : tools) {
                    if (worker.spent()) {
                        worker = start();
                        var _ = tools(worker);
                    }
                    ExecutionOutcome outcome = attempt(worker, tool);
                    if (!(outcome instanceof ExecutionOutcome.Answered answered) || !answered.ok()) {
                        return Optional.of("attempt '" + tool + "' could not be made: " + outcome);
                    }
                    JsonNode result = read(answered.envelope()).path("result");
                    if (!result.path("escaped").isBoolean()
                            || result.path("escaped").booleanValue()) {
                        return Optional.of("attempt '" + tool + "' got out: "
                                + result.path("detail").asText("no detail"));
                    }
                    LOG.log(System.Logger.Level.DEBUG, "held: {0}", tool);
                }
                progress.accept("The sandbox held against " + tools.size() + " attempts to escape");
                return Optional.empty();
            } finally {
                worker.stop();
            }
        }

        private Worker start() throws HydratorFailure, InterruptedException {
            return forks.single(snapshot, blobs, settings.limits());
        }

        private List<String> tools(Worker worker) throws HydratorFailure, InterruptedException {
            try {
                Worker.Start start = worker.start().get(LOAD_MAX.toMillis(), TimeUnit.MILLISECONDS);
                if (!(start instanceof Worker.Start.Loaded loaded)) {
                    throw new HydratorFailure("the self-test cannot be loaded into a worker: " + start);
                }
                List<String> tools = new ArrayList<>();
                read(loaded.ready().describe()).path("tools").forEach(tool -> tools.add(tool.asText()));
                return tools;
            } catch (ExecutionException | TimeoutException e) {
                throw new HydratorFailure("the self-test did not load within " + LOAD_MAX.toSeconds() + " s", e);
            }
        }

        private ExecutionOutcome attempt(Worker worker, String tool) throws HydratorFailure, InterruptedException {
            ProjectScope nobody = new ProjectScope(TenantId.create(), WorkspaceId.create(), ProjectId.create());
            String request = JSON.createObjectNode()
                    .put("schema_version", "v1")
                    .put("action", "invoke")
                    .put("kind", "tool")
                    .put("handler", tool)
                    .set("event", targets(worker))
                    .toString();
            Job job = new Job(
                    new HydrationRequest(
                            ExecutionId.create(),
                            new ResolvedCapability(
                                    nobody,
                                    Optional.empty(),
                                    new SnapshotRef(
                                            snapshot.key(), snapshot.key().hex()),
                                    bundle,
                                    Optional.empty()),
                            new JsonText(request),
                            ATTEMPT_MAX,
                            Map.of()),
                    ATTEMPT_MAX,
                    List.of(),
                    new WorkerListener() {
                        @Override
                        public void started(String workerId, JsonText isolation, boolean coldStart) {}

                        @Override
                        public void log(JsonText entry) {}
                    },
                    ignored -> {});
            worker.hand(job);
            try {
                return job.outcome().toCompletableFuture().get(ATTEMPT_MAX.toMillis() + 5000, TimeUnit.MILLISECONDS);
            } catch (ExecutionException | TimeoutException e) {
                throw new HydratorFailure("attempt '" + tool + "' of the self-test did not end", e);
            }
        }

        /** Real things of this machine, so that a wall is tried rather than an absence. */
        private ObjectNode targets(Worker worker) throws HydratorFailure {
            // Where workers have a process namespace, a small number would be a thread of the worker's own.
            long server = ProcessHandle.current().pid();
            boolean own = settings.isolation().equals("restricted") || server > 1000;
            ObjectNode targets = JSON.createObjectNode()
                    .put("tier", settings.isolation())
                    .put("pid", own ? server : 32_000)
                    .put("socket", socket.toString());
            if (read(worker.zygote().isolation()).path("uid_per_worker").asBoolean()) {
                targets.put("uid", settings.uidBase() + worker.slot());
            }
            return targets;
        }

        private static JsonNode read(JsonText text) throws HydratorFailure {
            try {
                return JSON.readTree(text.value());
            } catch (IOException e) {
                throw new HydratorFailure("the self-test answered something that is not JSON", e);
            }
        }
    }
}
