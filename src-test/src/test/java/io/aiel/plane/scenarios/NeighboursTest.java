package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.Attempts;
import io.aiel.plane.fixtures.Form;
import io.aiel.plane.fixtures.GeneratorPrecedence;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Results;
import io.aiel.plane.fixtures.SharedPlane;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * While bombs go off in one project, another one's calls are answered: all of them, and at least half of them in a fraction of the time that a bomb
 * takes, on any machine. {@code ./plane bench escapes}, on a machine with nothing else to do, also compares their 99th percentile with that of quiet.
 * The goal there is 1.25 times and is missed (docs/sandbox.md), so what is asserted is no promise: it notices when it becomes much worse.
 */
@Tag("escapes")
@ExtendWith(SharedPlane.class)
class NeighboursTest {
    private static final List<String> BOMBS =
            List.of("spin_in_threads", "memory", "threads", "forks", "scratch_full", "printing_raw");

    /** A bomb's deadline; some go off until then. */
    private static final int BOMB_MS = 3_000;

    /** The largest that was measured on two processors is 1.97. */
    private static final double RATIO_P99_MAX = 3;

    /** What was seen of one stretch of calls. */
    private record Stretch(double p50, double p99, double longest, int refused, int bombs) {}

    @Test
    void answersWhileBombsGoOffElsewhere(PackagedPlane plane) throws Exception {
        try (GeneratorPrecedence precedence = GeneratorPrecedence.take()) {
            Map<String, Map<String, Object>> figures = new LinkedHashMap<>();
            figures.put("how", Map.of("generator_comes_first", precedence.isTaken()));
            answersWhileBombsGoOffElsewhere(plane, figures);
        }
    }

    private static void answersWhileBombsGoOffElsewhere(PackagedPlane plane, Map<String, Map<String, Object>> figures)
            throws Exception {
        Project attacker = plane.newProject("neighbours-attacker");
        attacker.push(Attempts.files("bombs"));
        attacker.tool("well", Map.of()).expect(200);
        Project neighbour = plane.newProject("neighbours-victim");
        neighbour.push(Map.of("entry_point.py", """
                from aiel_sdk import tool

                @tool("echo")
                def echo(ctx, payload):
                    return payload
                """));
        int calls = Form.current().pick(40, 1000);
        for (int warm = 0; warm < Form.current().pick(20, 500); warm++) {
            neighbour.tool("echo", Map.of("n", warm)).expect(200);
        }

        Map<String, Double> ratios = new LinkedHashMap<>();
        for (String bomb : BOMBS) {
            Stretch quiet = stretch(neighbour, calls);
            Stretch loud = during(attacker, bomb, neighbour, calls);
            double ratio = Math.round(loud.p99() / quiet.p99() * 100) / 100.0;
            ratios.put(bomb, ratio);
            figures.put(
                    bomb,
                    Map.of(
                            "quiet_p50_ms", quiet.p50(),
                            "quiet_p99_ms", quiet.p99(),
                            "p50_ms", loud.p50(),
                            "p99_ms", loud.p99(),
                            "longest_ms", loud.longest(),
                            "ratio_p99", ratio,
                            "bombs", loud.bombs()));
            assertThat(quiet.refused() + loud.refused())
                    .as("refused during %s", bomb)
                    .isZero();
            assertThat(loud.bombs()).as("%s went off", bomb).isPositive();
            assertThat(loud.p50())
                    .as("the median during %s: nobody waits until a bomb has ended", bomb)
                    .isLessThan(BOMB_MS / 2.0);
        }
        Results.keep("escapes", "neighbours", figures);
        if (Form.current() == Form.LONG) {
            assertThat(ratios)
                    .as("the 99th percentile against that of quiet")
                    .allSatisfy((_, measured) -> assertThat(measured).isLessThan(RATIO_P99_MAX));
        }
    }

    private static Stretch during(Project attacker, String bomb, Project neighbour, int calls) throws Exception {
        AtomicBoolean over = new AtomicBoolean();
        AtomicInteger bombs = new AtomicInteger();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<?> bombing = threads.submit(() -> {
                while (!over.get()) {
                    attacker.execute(Map.of(
                            "action",
                            "invoke",
                            "kind",
                            "tool",
                            "handler",
                            bomb,
                            "event",
                            Map.of(),
                            "meta",
                            Map.of("timeout_ms", BOMB_MS)));
                    bombs.incrementAndGet();
                }
            });
            try {
                Stretch seen = stretch(neighbour, calls);
                over.set(true);
                bombing.get(60, TimeUnit.SECONDS);
                return new Stretch(seen.p50(), seen.p99(), seen.longest(), seen.refused(), bombs.get());
            } finally {
                over.set(true);
            }
        }
    }

    private static Stretch stretch(Project neighbour, int calls) {
        List<Double> times = new ArrayList<>();
        int refused = 0;
        for (int call = 0; call < calls; call++) {
            long begun = System.nanoTime();
            Answer answer = neighbour.tool("echo", Map.of("n", call));
            times.add((System.nanoTime() - begun) / 1e6);
            refused += answer.json().at("/result/n").asInt(-1) == call ? 0 : 1;
        }
        Collections.sort(times);
        return new Stretch(at(times, 0.5), at(times, 0.99), at(times, 1), refused, 0);
    }

    private static double at(List<Double> sorted, double share) {
        double value = sorted.get((int) Math.min(sorted.size() - 1, Math.floor(sorted.size() * share)));
        return Math.round(value * 100) / 100.0;
    }
}
