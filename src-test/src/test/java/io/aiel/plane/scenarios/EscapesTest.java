package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.Attempts;
import io.aiel.plane.fixtures.Command;
import io.aiel.plane.fixtures.Form;
import io.aiel.plane.fixtures.HostTraces;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Results;
import io.aiel.plane.fixtures.Waiting;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Pushed code tries to get out of its worker, in each tier that this machine has, through the packaged plane: the attempts of the
 * server's own self-test and the wider ones of {@code src/test/python/escapes}; then what uses things up, and what it may send to the
 * server. None may succeed, and nothing may be left. Where nothing holds them the same attempts are run once, to show that they
 * would be noticed.
 *
 * <p>Seen to fail, before they were mended: {@code socket_programs} (a BPF program could be attached to a socket), {@code interfaces}
 * (the sockets of other workers and the host path of the server's were listed), {@code change_snapshot_metadata} as an ordinary user
 * in tier restricted (the mode of every file of the server's user could be changed: Landlock does not cover it). Meant to fail: {@code
 * limits_by_number} there, with the server's limits readable.
 */
@Tag("escapes")
class EscapesTest {
    private static final String UID = "20001";
    private static final List<String> SNAPSHOTS = List.of("files", "privileges", "kernel", "network", "credentials");
    private static final int ATTEMPTS_MIN = 110;
    private static final Duration CLEAN_UP = Duration.ofSeconds(30);
    private static final String CANARY = "canary-of-a-neighbour-" + System.nanoTime();

    private static final List<Path> RUNSC = Stream.of(
                    System.getenv().getOrDefault("PLANE_RUNSC", "/usr/local/bin/runsc"), "/usr/bin/runsc")
            .map(Path::of)
            .toList();

    /** What a bomb may end in; anything else is the server's mistake. */
    private static final Set<String> ENDS = Set.of(
            "MEMORY_LIMIT",
            "PROCESS_LIMIT",
            "OUTPUT_LIMIT",
            "TIMEOUT",
            "WORKER_LOST",
            "USER_CODE_ERROR",
            "VALIDATION_ERROR",
            "SECURITY_VIOLATION");

    /** Those of which it is known in every tier: each limit has its own code. */
    private static final Map<String, String> CODES = Map.ofEntries(
            Map.entry("memory", "MEMORY_LIMIT"),
            Map.entry("memory_of_small_things", "MEMORY_LIMIT"),
            Map.entry("memory_mapped", "MEMORY_LIMIT"),
            Map.entry("threads", "PROCESS_LIMIT"),
            Map.entry("huge_result", "OUTPUT_LIMIT"),
            Map.entry("spin", "TIMEOUT"),
            Map.entry("spin_in_threads", "TIMEOUT"),
            Map.entry("spin_in_c", "TIMEOUT"),
            Map.entry("spin_on_the_loop", "TIMEOUT"),
            Map.entry("deaf_to_cancel", "TIMEOUT"),
            Map.entry("sleep_on", "TIMEOUT"),
            Map.entry("closes_its_channel", "WORKER_LOST"),
            Map.entry("writes_rubbish_on_its_channel", "WORKER_LOST"),
            Map.entry("says_to_send_much", "WORKER_LOST"));

    /** A way to start the plane, and what its executions must then say of themselves. */
    enum Tier {
        GVISOR("gvisor", false),
        NAMESPACES("namespaces", false),
        NAMESPACES_AS_ORDINARY_USER("namespaces", true),
        RESTRICTED("restricted", false),
        RESTRICTED_AS_ORDINARY_USER("restricted", true);

        final String isolation;
        final boolean asUser;

        Tier(String isolation, boolean asUser) {
            this.isolation = isolation;
            this.asUser = asUser;
        }

        boolean canBeHad() {
            if (this == GVISOR) {
                // Takes minutes, as each bomb costs a sandbox: the long form does it, and whoever names a runsc.
                boolean wanted = Form.current() == Form.LONG || System.getenv("PLANE_RUNSC") != null;
                return wanted && isRoot() && RUNSC.stream().anyMatch(Files::isExecutable);
            }
            if (this == RESTRICTED && !isRoot()) {
                // The other one is the same then.
                return false;
            }
            return !asUser || !isRoot() || othersCanReadTheClone();
        }

        PackagedPlane start() {
            Path data = PackagedPlane.freshData();
            List<String> prefix = List.of();
            if (asUser && isRoot()) {
                Command.of("chown", UID + ":" + UID, data.toString()).run().orFail();
                prefix = asOrdinaryUser(data);
            }
            String runsc = System.getenv("PLANE_RUNSC");
            if (this == GVISOR && runsc != null) {
                prefix = List.of("env", "PLANE_HYDRATOR_RUNSC=" + runsc);
            }
            return PackagedPlane.startThrough(prefix, data, "--isolation=" + isolation);
        }
    }

    private static boolean isRoot() {
        return "root".equals(System.getProperty("user.name"));
    }

    private static List<String> asOrdinaryUser(Path data) {
        return List.of("setpriv", "--reuid", UID, "--regid", UID, "--clear-groups", "--", "env", "HOME=" + data);
    }

    private static boolean othersCanReadTheClone() {
        String plane = PackagedPlane.repository().resolve("plane").toString();
        return Command.of("setpriv", "--reuid", UID, "--regid", UID, "--clear-groups", "--", "test", "-r", plane)
                        .run()
                        .exit()
                == 0;
    }

    @ParameterizedTest
    @EnumSource
    void holdsEveryAttemptAndLeavesNothing(Tier tier) {
        assumeTrue(
                tier.canBeHad(),
                switch (tier) {
                    case GVISOR ->
                        "tier gvisor needs root and a runsc, and runs in the long form or where PLANE_RUNSC names one";
                    case RESTRICTED -> "an ordinary user has one tier restricted, and it has its own round";
                    case NAMESPACES, NAMESPACES_AS_ORDINARY_USER, RESTRICTED_AS_ORDINARY_USER ->
                        "the clone is in a folder that other users cannot read";
                });
        HostTraces traces = HostTraces.before();
        try (PackagedPlane plane = tier.start()) {
            Attempts attempts = new Attempts(plane, CANARY);
            Project neighbour = plane.newProject("neighbour");
            neighbour.push(Attempts.files("wire"));
            neighbour.tool("plant", Map.of("secret", CANARY)).expect(200);
            Map<String, String> store = attempts.contentOfStore();
            Map<String, String> escaped = new LinkedHashMap<>();
            int made = 0;
            for (int round = 0; round < Form.current().pick(1, 5); round++) {
                Map<String, Attempts.Result> results = all(plane, attempts, tier.isolation, round);
                made = results.size();
                results.forEach((name, result) -> {
                    if (result.escaped()) {
                        escaped.put(name, result.detail());
                    }
                });
            }
            traces.note(plane);
            List<String> wrong = new ArrayList<>();
            Map<String, String> ends = bombs(plane, wrong);
            Map<String, String> forged = forgedFrames(plane, neighbour, wrong);
            strangersAtTheSocket(attempts.socket());
            Results.keep(
                    "escapes",
                    tier.name().toLowerCase(Locale.ROOT),
                    Map.of(
                            "attempts",
                            made,
                            "escaped",
                            escaped,
                            "bombs",
                            ends,
                            "forged_frames",
                            forged,
                            "wrong",
                            wrong));
            assertThat(made).isGreaterThanOrEqualTo(ATTEMPTS_MIN);
            assertThat(escaped).as("attempts that got out of %s", tier).isEmpty();
            assertThat(wrong).as("ends of bombs and forgeries in %s", tier).isEmpty();
            assertThat(attempts.contentOfStore())
                    .as("what was hydrated is unchanged")
                    .containsAllEntriesOf(store);
            assertThat(neighbour
                            .tool("victim", Map.of("seconds", 0))
                            .expect(200)
                            .at("/result/real")
                            .asBoolean())
                    .isTrue();
            assertThat(plane.client().get("/q/health/ready").status()).isEqualTo(200);
            traces.note(plane);
            plane.signal("TERM");
            assertThat(attempts.runFolders()).as("sockets and configurations").isEmpty();
            traces.assertNothingLeft(CLEAN_UP);
        }
    }

    /** Fails when the attempts are not noticed where they succeed: without walls, and without root's powers or the host's processes. */
    @Test
    void theAttemptsAreNoticedWhereNothingHoldsThem() {
        assumeTrue(
                isRoot() && othersCanReadTheClone(), "only root can give a plane processes and mounts of its own here");
        Path data = PackagedPlane.freshData();
        Command.of("chown", UID + ":" + UID, data.toString()).run().orFail();
        List<String> apart = new ArrayList<>(List.of(
                "unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "--propagation", "private"));
        apart.addAll(asOrdinaryUser(data));
        try (PackagedPlane plane = PackagedPlane.startThrough(apart, data, "--isolation=none")) {
            Map<String, String> noticed = new LinkedHashMap<>();
            try {
                Attempts attempts = new Attempts(plane, CANARY);
                all(plane, attempts, "none", 0).forEach((name, result) -> {
                    if (result.escaped()) {
                        noticed.put(name, result.detail());
                    }
                });
            } finally {
                // The program in between would end first and leave the server behind: with the first process of its
                // namespace everything that the attempts may have made ends too.
                plane.process().children().forEach(ProcessHandle::destroyForcibly);
                Waiting.until(CLEAN_UP, () -> plane.process().isAlive(), alive -> !alive, "the end of the plane");
            }
            Results.keep("escapes", "none", Map.of("noticed", noticed));
            assertThat(noticed)
                    .hasSizeGreaterThan(50)
                    .containsKeys(
                            "read_host_files",
                            "server_files",
                            "links_in_proc",
                            "climb_by_descriptor",
                            "exec_shell",
                            "programs_of_scratch",
                            "fork",
                            "clone_with_namespaces",
                            "every_call",
                            "own_filter",
                            "tcp_to_the_plane",
                            "tcp_to_postgresql",
                            "all_families",
                            "socket_programs",
                            "workers_socket",
                            "others_memory",
                            "interfaces",
                            "signal_others",
                            "anonymous_files",
                            "message_queues");
        }
    }

    /** One round of all attempts, each tier's executions checked for the tier that they say they ran in. */
    private static Map<String, Attempts.Result> all(
            PackagedPlane plane, Attempts attempts, String isolation, int round) {
        Map<String, Attempts.Result> results = new LinkedHashMap<>();
        Project fast = plane.newProject("fast-" + round);
        fast.push(Attempts.ofTheSelfTest());
        results.putAll(attempts.run(fast, isolation));
        for (String snapshot : SNAPSHOTS) {
            Project project = plane.newProject(snapshot + "-" + round);
            project.push(Attempts.files(snapshot));
            results.putAll(attempts.run(project, isolation));
        }
        return results;
    }

    /** Sets off each bomb; after each, the same project answers again. */
    private static Map<String, String> bombs(PackagedPlane plane, List<String> wrong) {
        Project project = plane.newProject("bombs");
        project.push(Attempts.files("bombs"));
        List<String> names = Attempts.tools(project);
        assertThat(names).hasSizeGreaterThan(35).containsAll(CODES.keySet());
        Map<String, String> ends = new LinkedHashMap<>();
        for (String name : names) {
            Answer answer = project.execute(Map.of(
                    "action",
                    "invoke",
                    "kind",
                    "tool",
                    "handler",
                    name,
                    "event",
                    Map.of(),
                    "meta",
                    Map.of("timeout_ms", timeout(name))));
            JsonNode result = answer.json().path("result");
            String end = answer.json().path("ok").asBoolean() ? "OK" : answer.errorCode();
            ends.put(name, end);
            boolean tooMuch = result.has("limit")
                    && result.path("made").asLong() > result.path("limit").asLong();
            String wanted = CODES.getOrDefault(name, end);
            // Which comes first depends on the tier's memory; where that is a limit of addresses, native code that gets
            // none aborts.
            boolean untold = name.equals("wide_result")
                    && !Set.of("MEMORY_LIMIT", "OUTPUT_LIMIT").contains(end)
                    && !answer.text().contains("the worker crashed with signal 6");
            if (tooMuch || untold || !end.equals(wanted) || !(end.equals("OK") || ENDS.contains(end))) {
                wrong.add(name + " ended in " + end + ": "
                        + answer.text().substring(0, Math.min(400, answer.text().length())));
            }
            Answer after = project.tool("well", Map.of());
            if (!after.json().at("/result/well").asBoolean()) {
                wrong.add("after " + name + " the project does not answer: " + after);
            }
        }
        return ends;
    }

    /** Those that end at a limit must reach it, on a slow machine too; those that go on for ever need not be waited for. */
    private static int timeout(String bomb) {
        return "TIMEOUT".equals(CODES.get(bomb))
                        || Set.of("signals", "one_number").contains(bomb)
                ? 1000
                : 40_000;
    }

    /** A frame that ends an execution. */
    private static Map<String, ?> result(String id, Map<String, Integer> usage, Object envelope) {
        return Map.of(
                "frame", Map.of("type", "result", "id", id, "usage", usage, "tainted", false, "envelope", envelope));
    }

    /** While a neighbour's execution runs, sends what would be its end if the server believed it. */
    private static Map<String, String> forgedFrames(PackagedPlane plane, Project neighbour, List<String> wrong) {
        Project attacker = plane.newProject("attacker");
        attacker.push(Attempts.files("wire"));
        attacker.tool("victim", Map.of("seconds", 0)).expect(200);
        Map<String, String> ends = new LinkedHashMap<>();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            int seconds = Form.current().pick(6, 20);
            Future<Answer> running = threads.submit(() -> neighbour.tool("victim", Map.of("seconds", seconds)));
            String victim = Waiting.until(
                    Duration.ofSeconds(20), () -> runningOf(neighbour), id -> !id.isEmpty(), "the victim's execution");
            Map<String, Object> envelope = Map.of(
                    "ok",
                    true,
                    "http_status",
                    200,
                    "result",
                    "forged",
                    "meta",
                    Map.of("isolation", "forged", "logs", List.of()));
            Map<String, Map<String, ?>> frames = new LinkedHashMap<>();
            Map<String, Integer> usage = Map.of("cpu_ms", 0, "wall_ms", 0, "max_rss_bytes", 0);
            frames.put("a result of another execution", result(victim, usage, envelope));
            frames.put(
                    "a log line of another execution",
                    Map.of("frame", Map.of("type", "log", "id", victim, "entry", Map.of("event", "forged"))));
            frames.put("a second hello", Map.of("frame", Map.of("type", "hello", "worker", "w1", "nonce", "00")));
            frames.put(
                    "a second ready",
                    Map.of("frame", Map.of("type", "ready", "describe", Map.of(), "exports", List.of())));
            frames.put("a load failure", Map.of("frame", Map.of("type", "load_failed", "errors", List.of())));
            frames.put("an unknown frame", Map.of("frame", Map.of("type", "kill", "worker", "w1")));
            frames.put(
                    "a frame of the zygote", Map.of("frame", Map.of("type", "exited", "worker", "w1", "exit_code", 0)));
            frames.put("an envelope that is none", result("OWN", usage, "forged"));
            frames.put(
                    "a usage below nothing",
                    result("OWN", Map.of("cpu_ms", -1, "wall_ms", -1, "max_rss_bytes", -1), envelope));
            frames.put("its own isolation", result("OWN", usage, envelope));
            frames.put("nesting without end", Map.of("bytes", "5b", "times", 200_000));
            frames.put("no text", Map.of("bytes", "c3287b7d"));
            frames.put("an empty frame", Map.of("bytes", ""));
            frames.forEach((name, event) -> {
                Answer answer = attacker.tool("forge", event);
                String end = answer.json().path("ok").asBoolean() ? "OK" : answer.errorCode();
                ends.put(name, end);
                String tier = answer.json().at("/meta/isolation/tier").asText();
                boolean serversWord =
                        Set.of("namespaces", "restricted", "gvisor").contains(tier)
                                && answer.executionId().startsWith("exec_");
                if (!Set.of("OK", "WORKER_LOST").contains(end) || !serversWord) {
                    wrong.add("after " + name + ": " + answer);
                }
            });
            Answer real = running.get();
            if (!real.json().at("/result/real").asBoolean()
                    || real.text().contains("forged")
                    || !real.executionId().equals(victim)) {
                wrong.add("the victim's answer: " + real);
            }
            if (!"WORKER_LOST".equals(ends.get("a result of another execution"))) {
                wrong.add("a result of another execution was taken: " + ends);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        } catch (ExecutionException e) {
            throw new AssertionError("the victim's execution", e);
        }
        return ends;
    }

    private static String runningOf(Project project) {
        return project.client()
                .get(project.path() + "/executions?limit=20")
                .expect(200)
                .path("executions")
                .valueStream()
                .filter(row -> row.path("status").asText().equals("running"))
                .findFirst()
                .map(row -> row.path("id").asText())
                .orElse("");
    }

    /** Connects from the host as if it were a worker: without the nonce there is no conversation. */
    private static void strangersAtTheSocket(Path socket) {
        List<byte[]> greetings = List.of(
                frame("{\"type\":\"hello\",\"worker\":\"w1\",\"nonce\":\"" + "0".repeat(48) + "\"}"),
                frame("{\"type\":\"hello\",\"worker\":\"../w1\",\"nonce\":\"\"}"),
                frame("{\"type\":\"ready\"}"),
                frame("[]"),
                new byte[] {-1, -1, -1, -1, '{'},
                new byte[] {0, 0, 0, 0});
        for (byte[] greeting : greetings) {
            try (SocketChannel stranger = SocketChannel.open(StandardProtocolFamily.UNIX)) {
                stranger.connect(UnixDomainSocketAddress.of(socket));
                stranger.write(ByteBuffer.wrap(greeting));
                assertThat(stranger.read(ByteBuffer.allocate(16)))
                        .as("the server hangs up, without a word")
                        .isLessThan(0);
            } catch (IOException e) {
                // A connection that was reset is as good an end.
                assertThat(e).hasMessageMatching("(?i).*(reset|broken pipe).*");
            }
        }
    }

    private static byte[] frame(String text) {
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(4 + body.length)
                .putInt(body.length)
                .put(body)
                .array();
    }
}
