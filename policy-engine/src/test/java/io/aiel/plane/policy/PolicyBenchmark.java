package io.aiel.plane.policy;

import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.Role;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.Arrays;

/** Measures decisions on one thread, in order: not a test, machines differ. */
final class PolicyBenchmark {
    private static final int WARM_UP = 100_000;
    private static final int ROUNDS = 200_000;

    private PolicyBenchmark() {}

    /** Prints what it measured. */
    public static void main(String[] arguments) throws InterruptedException {
        long begin = System.nanoTime();
        try (WasmPolicyEngine engine =
                WasmPolicyEngine.create(PolicyEngineSettings.defaults().withInstances(2))) {
            if (!engine.awaitReady(Duration.ofMinutes(2))) {
                throw new IllegalStateException("not ready: " + engine.failure());
            }
            System.out.printf("ready after %d ms%n", (System.nanoTime() - begin) / 1_000_000);
            PolicyInput question = Questions.invoke(Questions.principal(Role.DEVELOPER), "{\"name\":\"Ada\"}");
            run(engine, question, WARM_UP);
            long cpuBegin = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
            long[] nanos = run(engine, question, ROUNDS);
            long cpuNanos = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - cpuBegin;
            long total = Arrays.stream(nanos).sum();
            Arrays.sort(nanos);
            System.out.printf(
                    "%d decisions: %.0f/s, p50 %.1f us, p99 %.1f us, max %.1f us, %.1f us of processor time each; "
                            + "load average %.2f on %d processors%n",
                    ROUNDS,
                    ROUNDS * 1e9 / total,
                    nanos[ROUNDS / 2] / 1e3,
                    nanos[ROUNDS / 100 * 99] / 1e3,
                    nanos[ROUNDS - 1] / 1e3,
                    cpuNanos / 1e3 / ROUNDS,
                    ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage(),
                    Runtime.getRuntime().availableProcessors());
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
}
