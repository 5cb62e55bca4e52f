import io.aiel.plane.policy.PolicyEngineSettings;
import io.aiel.plane.policy.PolicyInput;
import io.aiel.plane.policy.WasmPolicyEngine;
import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.aiel.plane.vocabulary.CapabilityRef;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Principal;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.PrincipalKind;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.ResolvedCapability;
import io.aiel.plane.vocabulary.Role;
import io.aiel.plane.vocabulary.SnapshotRef;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.TokenId;
import io.aiel.plane.vocabulary.WorkspaceId;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/** Measures decisions of the default policy on one thread: question to bytes, wasm, strict reading of the answer. */
public final class Decisions {
    private static final int WARM_UP = 100_000;

    private Decisions() {}

    /** Prints one line of JSON; takes the number of decisions to measure. */
    public static void main(String[] arguments) throws InterruptedException {
        int rounds = Integer.parseInt(arguments[0]);
        try (WasmPolicyEngine engine =
                WasmPolicyEngine.create(PolicyEngineSettings.defaults().withInstances(2))) {
            if (!engine.awaitReady(Duration.ofMinutes(2))) {
                throw new IllegalStateException("not ready: " + engine.failure());
            }
            PolicyInput question = question();
            run(engine, question, WARM_UP);
            long cpuBegin = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
            long[] nanos = run(engine, question, rounds);
            long cpuNanos = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - cpuBegin;
            long total = Arrays.stream(nanos).sum();
            Arrays.sort(nanos);
            System.out.printf(
                    Locale.ROOT,
                    "{\"decisions\": %d, \"per_second\": %.0f, \"p50_us\": %.2f, \"p99_us\": %.2f, \"cpu_us\": %.2f}%n",
                    rounds,
                    rounds * 1e9 / total,
                    nanos[rounds / 2] / 1e3,
                    nanos[(int) (rounds * 0.99)] / 1e3,
                    cpuNanos / 1e3 / rounds);
        }
    }

    private static long[] run(WasmPolicyEngine engine, PolicyInput question, int rounds) {
        long[] nanos = new long[rounds];
        for (int i = 0; i < rounds; i++) {
            long start = System.nanoTime();
            if (!(engine.decide(question) instanceof Decision.Allow)) {
                throw new IllegalStateException("a benchmark of denials would measure something else");
            }
            nanos[i] = System.nanoTime() - start;
        }
        return nanos;
    }

    private static PolicyInput question() {
        ProjectScope scope = new ProjectScope(
                new TenantId("ten_" + "1".repeat(32)),
                new WorkspaceId("ws_" + "2".repeat(32)),
                new ProjectId("proj_" + "3".repeat(32)));
        Principal developer = new Principal(
                new PrincipalId("prn_" + "4".repeat(32)),
                PrincipalKind.USER,
                scope.tenant(),
                "ada@example.org",
                new TokenId("tok_" + "5".repeat(32)),
                Set.of("*"),
                Set.of(Role.DEVELOPER),
                Optional.empty(),
                Optional.empty(),
                Optional.empty());
        Capability capability = new Capability(
                new CapabilityRef(CapabilityKind.TOOL, "add"),
                "Adds",
                "1.0.0",
                List.of(),
                Optional.empty(),
                Optional.empty(),
                List.of(),
                List.of(),
                Digest.of("contract"),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                "entry_point.py",
                3);
        return new PolicyInput(
                developer,
                "execution.invoke",
                Optional.of(scope),
                Optional.of(new ResolvedCapability(
                        scope,
                        Optional.of("production"),
                        new SnapshotRef(Digest.of("snapshot"), "a".repeat(64)),
                        "minimal",
                        Optional.of(capability))),
                "tool:add",
                Optional.of(new JsonText("{\"a\":1,\"b\":2}")),
                Optional.empty(),
                false,
                false,
                30_000,
                Instant.parse("2026-01-02T03:04:05Z"),
                "192.0.2.7",
                "0af7651916cd43dd8448eb211c80319c",
                "req-1");
    }
}
