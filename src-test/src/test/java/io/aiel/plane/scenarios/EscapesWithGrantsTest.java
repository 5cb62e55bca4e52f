package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.Attempts;
import io.aiel.plane.fixtures.Form;
import io.aiel.plane.fixtures.HostTraces;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Results;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The attempts of {@link EscapesTest} in workers that the policy gives more than the usual: a network, processes, or both. What a
 * profile permits by design is listed by name, with the words in which the attempt tells of exactly that; every other attempt must be
 * held as in a worker of the default profile. Meant to fail: with a call added to a profile's filter, and with a name added to a list here
 * of what does not happen. A profile that the machine cannot give is not tried; with {@code PLANE_PROFILES_REQUIRED=1} it has to be given.
 *
 * <p>In tier {@code namespaces}, the only one that has these profiles. The bombs stay with {@link EscapesTest}.
 */
@Tag("escapes")
class EscapesWithGrantsTest {
    private static final List<String> SNAPSHOTS = List.of("files", "privileges", "kernel", "network", "credentials");
    private static final int ATTEMPTS_MIN = 110;
    private static final Duration CLEAN_UP = Duration.ofSeconds(30);
    private static final String CANARY = "canary-of-a-neighbour-" + System.nanoTime();

    /** From this version on Landlock knows ports; before it a worker's own loopback refuses what is asked of it. */
    private static final int ABI_OF_PORTS = 4;

    private static final Map<String, String> NETWORK = Map.of(
            // The two connections to the server, the two listeners of the forwarder, and the event loop's pair.
            "inherited_descriptors",
            "open: 6 sockets",
            // Streams of TCP over IP, for the way to the forwarder; no other family, no other kind.
            "all_families",
            "sockets: 2/1, 10/1( says EAFNOSUPPORT)?",
            // Such a socket, in a namespace without a route: EgressTest shows that it reaches nothing.
            "metadata_service",
            "made a socket that could ask 169\\.254\\.169\\.254",
            // connect() is let through for TCP. The kernel refuses it on the connection to the server.
            "redirect_own_socket",
            "connect is reachable: [^;]*");

    /** On the loopback of the worker's own network namespace, where nobody listens at the server's ports. */
    private static final Map<String, String> NETWORK_WITHOUT_PORTS_IN_LANDLOCK = Map.of(
            "tcp_loopback",
            "reached the network: .*refused",
            "tcp_outside",
            "(reached the network|refused): .*",
            "tcp_to_the_plane",
            "reached the network: .*refused",
            "tcp_to_postgresql",
            "reached the network: .*refused",
            "tcp_to_kafka",
            "reached the network: .*refused",
            "tcp_by_ipv6",
            "(reached the network|made an IPv6 socket): .*");

    private static final Map<String, String> SUBPROCESS = Map.of(
            // os.fork and multiprocessing: processes in the worker's own namespaces and cgroup.
            "fork",
            "made a process",
            "clone",
            "clone made process \\d+",
            // 0x11 is fork alone; with it no flag of a namespace, nor CLONE_PARENT.
            "clone_with_namespaces",
            "made processes by the flags 0x11",
            // Its own group, which it leads. What is outside of its process namespace is not there.
            "signals_to_groups",
            "could signal 0",
            // The worker's own, for the locks and queues of multiprocessing; nobody else has it mounted.
            "shared_folders",
            "could write in /dev/shm",
            "unnamed_files",
            "made an unnamed file in /dev/shm");

    private static final Map<String, Project> PROJECTS = new LinkedHashMap<>();

    private static PackagedPlane plane;
    private static HostTraces traces;
    private static Attempts attempts;

    /** What a request asks for, and the policy grants. */
    enum Grant {
        NETWORK,
        SUBPROCESS,
        BOTH;

        List<String> capabilities() {
            return switch (this) {
                case NETWORK -> List.of("network");
                case SUBPROCESS -> List.of("subprocess");
                case BOTH -> List.of("network", "subprocess");
            };
        }

        Map<String, String> permitted(int landlock) {
            Map<String, String> permitted = new TreeMap<>();
            if (this != SUBPROCESS) {
                permitted.putAll(EscapesWithGrantsTest.NETWORK);
                if (landlock < ABI_OF_PORTS) {
                    permitted.putAll(NETWORK_WITHOUT_PORTS_IN_LANDLOCK);
                }
            }
            if (this != NETWORK) {
                permitted.putAll(EscapesWithGrantsTest.SUBPROCESS);
            }
            return permitted;
        }
    }

    @BeforeAll
    static void start() throws IOException {
        traces = HostTraces.before();
        Path data = PackagedPlane.freshData();
        Path policy = Files.writeString(data.resolve("policy.json"), "{}");
        plane = PackagedPlane.startThrough(List.of("env", "PLANE_POLICY_DATA_FILE=" + policy), data);
        PROJECTS.put("fast", plane.newProject("fast"));
        SNAPSHOTS.forEach(name -> PROJECTS.put(name, plane.newProject(name)));
        Project neighbour = plane.newProject("neighbour");
        // Grants name projects, and data is read at start: so the plane that makes the projects is started again.
        Files.writeString(policy, grants());
        plane.signal("TERM");
        plane.startAgain();
        PROJECTS.replaceAll((name, made) -> new Project(plane.client(), made.workspace(), made.id()));
        PROJECTS.forEach(
                (name, project) -> project.push(name.equals("fast") ? Attempts.ofTheSelfTest() : Attempts.files(name)));
        Project planted = new Project(plane.client(), neighbour.workspace(), neighbour.id());
        planted.push(Attempts.files("wire"));
        planted.tool("plant", Map.of("secret", CANARY)).expect(200);
        attempts = new Attempts(plane, CANARY);
    }

    @AfterAll
    static void stop() {
        if (plane == null) {
            return;
        }
        try (PackagedPlane ending = plane) {
            traces.note(ending);
            ending.signal("TERM");
            if (attempts != null) {
                assertThat(attempts.runFolders())
                        .as("sockets and configurations")
                        .isEmpty();
            }
            traces.assertNothingLeft(CLEAN_UP);
        }
    }

    private static String grants() {
        Map<String, Object> network =
                PROJECTS.values().stream().collect(Collectors.toMap(Project::id, _ -> List.of("api.test:443")));
        Map<String, Object> subprocess = PROJECTS.values().stream().collect(Collectors.toMap(Project::id, _ -> true));
        return PlaneClient.text(Map.of("grants", Map.of("network", network, "subprocess", subprocess)));
    }

    @ParameterizedTest
    @EnumSource
    void permitsWhatIsGrantedAndHoldsEveryOtherAttempt(Grant grant) {
        assumeTrue(
                grant != Grant.BOTH || Form.current() == Form.LONG,
                "both together are tried in the long form: each attempt with processes costs a worker");
        JsonNode isolation = isolation(grant);
        Map<String, String> store = attempts.contentOfStore();

        Map<String, Attempts.Result> results = new LinkedHashMap<>();
        PROJECTS.values().forEach(project -> results.putAll(attempts.runWith(grant.capabilities(), project)));

        traces.note(plane);
        Map<String, String> permitted =
                grant.permitted(isolation.path("landlock_abi").asInt());
        Map<String, String> escaped = new TreeMap<>();
        Map<String, String> others = new TreeMap<>();
        results.forEach((name, result) -> {
            if (result.escaped()) {
                escaped.put(name, result.detail());
                String words = permitted.get(name);
                if (words == null || !result.detail().matches(words)) {
                    others.put(name, result.detail());
                }
            }
        });
        Results.keep(
                "escapes",
                "with-" + grant.name().toLowerCase(Locale.ROOT),
                Map.of("attempts", results.size(), "permitted", escaped, "escaped", others));
        assertThat(results).hasSizeGreaterThanOrEqualTo(ATTEMPTS_MIN);
        assertThat(others).as("attempts that got out with %s", grant).isEmpty();
        assertThat(escaped.keySet())
                .as("what %s permits, and nothing that it does not", grant)
                .isEqualTo(new TreeSet<>(permitted.keySet()));
        assertThat(attempts.contentOfStore())
                .as("what was hydrated is unchanged")
                .containsAllEntriesOf(store);
        assertThat(plane.client().get("/q/health/ready").status()).isEqualTo(200);
    }

    /** How a worker with this grant is isolated. Without cgroups there are no processes, and the refusal says so. */
    private static JsonNode isolation(Grant grant) {
        Map<String, Boolean> wanted = grant.capabilities().stream().collect(Collectors.toMap(name -> name, _ -> true));
        Answer answer = Objects.requireNonNull(PROJECTS.get("fast"))
                .execute(Map.of(
                        "action",
                        "invoke",
                        "kind",
                        "tool",
                        "handler",
                        "own_uid",
                        "event",
                        Map.of(),
                        "meta",
                        Map.of("timeout_ms", 30_000, "capabilities", wanted)));
        if (!answer.json().path("ok").asBoolean()) {
            assertThat(answer.errorCode()).as("%s", answer).isEqualTo("ISOLATION_UNAVAILABLE");
        }
        if ("1".equals(System.getenv("PLANE_PROFILES_REQUIRED"))) {
            assertThat(answer.json().path("ok").asBoolean()).as("%s", answer).isTrue();
        }
        assumeTrue(
                answer.json().path("ok").asBoolean(),
                "this machine has no such worker: a network needs CAP_NET_ADMIN as root, processes need cgroups");
        assertThat(answer.json().at("/meta/isolation/tier").asText()).isEqualTo("namespaces");
        return answer.json().at("/meta/isolation");
    }
}
