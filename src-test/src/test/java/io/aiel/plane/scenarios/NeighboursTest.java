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
 * takes, on any machine. {@code ./plane bench escapes}, on a machine with nothing else to do, also compares their 99th percentile with that of quiet;
 * quiet and bombs take turns of a second or two, as the same calls take half or twice as long within minutes: the machine has other guests, and the server gets older.
 * The goal there is 1.25 times and is missed (docs/sandbox.md), so what is asserted is no promise: it notices when it becomes much worse.
 */
@Tag("escapes")
@ExtendWith(SharedPlane.class)
class NeighboursTest {
    /** No bomb, but code that does nothing, called again and again: what any other project's calls cost a neighbour. */
    private static final String HARMLESS = "well";

    /** What the other project runs, one call after another. */
    private static final List<String> MEANWHILE =
            List.of(HARMLESS, "spin_in_threads", "memory", "threads", "forks", "scratch_full", "printing_raw");

    /** A bomb's deadline; some go off until then. */
    private static final int BOMB_MS = 3_000;

    /** From the request for the first bomb to the first call, so that it is measured beside a bomb and not before. Nothing asserted needs it. */
    private static final int FUSE_MS = 50;

    private static final int CALLS_OF_A_TURN = Form.current().pick(20, 100);

    /** The largest that was measured on two processors is 2.07. */
    private static final double RATIO_P99_MAX = 3;

    /** What was seen of calls one by one; milliseconds. */
    private static final class Seen {
        private final List<Double> times = new ArrayList<>();
        private int refused;

        double at(double share) {
            List<Double> sorted = times.stream().sorted().toList();
            double value = sorted.get((int) Math.min(sorted.size() - 1, Math.floor(sorted.size() * share)));
            return Math.round(value * 100) / 100.0;
        }
    }

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
        for (int warm = 0; warm < Form.current().pick(20, 4000); warm++) {
            neighbour.tool("echo", Map.of("n", warm)).expect(200);
        }

        Map<String, Double> ratios = new LinkedHashMap<>();
        for (String bomb : MEANWHILE) {
            Seen quiet = new Seen();
            Seen loud = new Seen();
            int bombs = 0;
            for (int turn = 0; turn < Form.current().pick(2, 15); turn++) {
                call(neighbour, quiet);
                bombs += during(attacker, bomb, () -> call(neighbour, loud));
            }
            double ratio = Math.round(loud.at(0.99) / quiet.at(0.99) * 100) / 100.0;
            ratios.put(bomb, ratio);
            figures.put(
                    bomb,
                    Map.of(
                            "quiet_p50_ms", quiet.at(0.5),
                            "quiet_p99_ms", quiet.at(0.99),
                            "p50_ms", loud.at(0.5),
                            "p99_ms", loud.at(0.99),
                            "longest_ms", loud.at(1),
                            "ratio_p99", ratio,
                            "calls", loud.times.size(),
                            "bombs", bombs));
            assertThat(quiet.refused + loud.refused)
                    .as("refused during %s", bomb)
                    .isZero();
            assertThat(bombs).as("%s went off", bomb).isPositive();
            assertThat(loud.at(0.5))
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

    /** Lets bombs go off, one after another, while this is done; how many there were. */
    private static int during(Project attacker, String bomb, Runnable calls) throws Exception {
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
                Thread.sleep(FUSE_MS);
                calls.run();
            } finally {
                over.set(true);
            }
            bombing.get(60, TimeUnit.SECONDS);
            return bombs.get();
        }
    }

    private static void call(Project neighbour, Seen seen) {
        for (int call = 0; call < CALLS_OF_A_TURN; call++) {
            long begun = System.nanoTime();
            Answer answer = neighbour.tool("echo", Map.of("n", call));
            seen.times.add((System.nanoTime() - begun) / 1e6);
            seen.refused += answer.json().at("/result/n").asInt(-1) == call ? 0 : 1;
        }
    }
}
