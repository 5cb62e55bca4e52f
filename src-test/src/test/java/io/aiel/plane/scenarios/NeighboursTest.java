package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.Attempts;
import io.aiel.plane.fixtures.Form;
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
 * While bombs go off in one project, another one's calls are answered. The short form asserts that all of them are; the long form also
 * measures their 99th percentile against that of quiet, for {@code ./plane bench escapes} on a machine with nothing else to do.
 */
@Tag("escapes")
@ExtendWith(SharedPlane.class)
class NeighboursTest {
    private static final List<String> BOMBS =
            List.of("spin_in_threads", "memory", "threads", "forks", "scratch_full", "printing_raw");

    /** What was seen of one stretch of calls. */
    private record Stretch(double p50, double p99, int refused, int bombs) {}

    @Test
    void answersWhileBombsGoOffElsewhere(PackagedPlane plane) throws Exception {
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

        Map<String, Map<String, Object>> figures = new LinkedHashMap<>();
        for (String bomb : BOMBS) {
            Stretch quiet = stretch(neighbour, calls);
            Stretch loud = during(attacker, bomb, neighbour, calls);
            figures.put(
                    bomb,
                    Map.of(
                            "quiet_p50_ms", quiet.p50(),
                            "quiet_p99_ms", quiet.p99(),
                            "p50_ms", loud.p50(),
                            "p99_ms", loud.p99(),
                            "ratio_p99", Math.round(loud.p99() / quiet.p99() * 100) / 100.0,
                            "bombs", loud.bombs()));
            assertThat(quiet.refused() + loud.refused())
                    .as("refused during %s", bomb)
                    .isZero();
            assertThat(loud.bombs()).as("%s went off", bomb).isPositive();
        }
        Results.keep("escapes", "neighbours", figures);
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
                            Map.of("timeout_ms", 3000)));
                    bombs.incrementAndGet();
                }
            });
            try {
                Stretch seen = stretch(neighbour, calls);
                over.set(true);
                bombing.get(60, TimeUnit.SECONDS);
                return new Stretch(seen.p50(), seen.p99(), seen.refused(), bombs.get());
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
        return new Stretch(at(times, 0.5), at(times, 0.99), refused, 0);
    }

    private static double at(List<Double> sorted, double share) {
        double value = sorted.get((int) Math.min(sorted.size() - 1, Math.floor(sorted.size() * share)));
        return Math.round(value * 100) / 100.0;
    }
}
