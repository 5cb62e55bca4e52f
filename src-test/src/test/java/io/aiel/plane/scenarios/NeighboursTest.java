package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.Attempts;
import io.aiel.plane.fixtures.Command;
import io.aiel.plane.fixtures.Form;
import io.aiel.plane.fixtures.GeneratorPrecedence;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Results;
import io.aiel.plane.fixtures.SharedPlane;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * While bombs go off in one project, another one's calls are answered: all of them, and at least half of them in a fraction of the time that a bomb
 * takes, on any machine. {@code ./plane bench escapes}, on a machine with nothing else to do, also compares their 99th percentile with that of quiet;
 * quiet and bombs take turns of a second or two, as the same calls take half or twice as long within minutes: the machine has other guests.
 * Before, the server is called until its compilers have little left to do: they took half of the time of the slowest calls, of the quiet ones too.
 *
 * <p>Bombs begin {@value #BEGUN_PER_SECOND} times a second at most, as some end at once: what is compared is what a bomb does, and not what
 * hundreds of calls a second cost that any caller may make. Those are measured too, as {@value #ALL_THE_TIME}.
 * The goal is 1.25 times (docs/sandbox.md). What is asserted is no promise: it notices when it becomes much worse.
 */
@Tag("escapes")
@ExtendWith(SharedPlane.class)
class NeighboursTest {
    /** No bomb, but code that does nothing: what any other project's calls cost a neighbour. */
    private static final String HARMLESS = "well";

    /** The row of what is harmless, called again as soon as it has ended. */
    private static final String ALL_THE_TIME = "well_all_the_time";

    private static final int BEGUN_PER_SECOND = 10;

    /** What the other project runs, one call after another. */
    private static final List<Meanwhile> MEANWHILE = List.of(
            new Meanwhile(ALL_THE_TIME, HARMLESS, 0),
            Meanwhile.limited(HARMLESS),
            Meanwhile.limited("spin_in_threads"),
            Meanwhile.limited("memory"),
            Meanwhile.limited("threads"),
            Meanwhile.limited("forks"),
            Meanwhile.limited("scratch_full"),
            Meanwhile.limited("printing_raw"));

    /** Of one processor: what the compilers may still take of a server that counts as warm. */
    private static final double COMPILING_MAX = 0.05;

    private static final Duration WARM_UP_MAX =
            Duration.ofSeconds(Form.current().pick(2, 240));

    /** A bomb's deadline; some go off until then. */
    private static final int BOMB_MS = 3_000;

    /** From the request for the first bomb to the first call, so that it is measured beside a bomb and not before. Nothing asserted needs it. */
    private static final int FUSE_MS = 50;

    private static final int CALLS_OF_A_TURN = Form.current().pick(20, 100);

    /** The largest that was measured on two processors is 2.07, before bombs were limited and the server warmed up for longer. */
    private static final double RATIO_P99_MAX = 3;

    /** A tool of the other project, called again when the last call has ended and was begun that long ago. */
    private record Meanwhile(String name, String tool, int everyMs) {
        static Meanwhile limited(String tool) {
            return new Meanwhile(tool, tool, 1000 / BEGUN_PER_SECOND);
        }
    }

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
        Project neighbour = plane.newProject("neighbours-victim");
        neighbour.push(Map.of("entry_point.py", """
                from aiel_sdk import tool

                @tool("echo")
                def echo(ctx, payload):
                    return payload
                """));
        figures.put("warm", warmUp(plane, neighbour, attacker));

        Map<String, Double> ratios = new LinkedHashMap<>();
        for (Meanwhile meanwhile : MEANWHILE) {
            Map<String, Object> measured = measure(neighbour, attacker, meanwhile);
            figures.put(meanwhile.name, measured);
            ratios.put(meanwhile.name, (Double) measured.get("ratio_p99"));
        }
        Results.keep("escapes", "neighbours", figures);
        if (Form.current() == Form.LONG) {
            assertThat(ratios)
                    .as("the 99th percentile against that of quiet")
                    .allSatisfy((_, measured) -> assertThat(measured).isLessThan(RATIO_P99_MAX));
        }
    }

    private static Map<String, Object> measure(Project neighbour, Project attacker, Meanwhile meanwhile)
            throws Exception {
        Seen quiet = new Seen();
        Seen loud = new Seen();
        int bombs = 0;
        for (int turn = 0; turn < Form.current().pick(2, 15); turn++) {
            call(neighbour, quiet);
            bombs += during(attacker, meanwhile, () -> call(neighbour, loud));
        }
        assertThat(quiet.refused + loud.refused)
                .as("refused during %s", meanwhile.name)
                .isZero();
        assertThat(bombs).as("%s went off", meanwhile.name).isPositive();
        assertThat(loud.at(0.5))
                .as("the median during %s: nobody waits until a bomb has ended", meanwhile.name)
                .isLessThan(BOMB_MS / 2.0);
        return Map.of(
                "quiet_p50_ms", quiet.at(0.5),
                "quiet_p99_ms", quiet.at(0.99),
                "p50_ms", loud.at(0.5),
                "p99_ms", loud.at(0.99),
                "longest_ms", loud.at(1),
                "ratio_p99", Math.round(loud.at(0.99) / quiet.at(0.99) * 100) / 100.0,
                "calls", loud.times.size(),
                "bombs", bombs);
    }

    /**
     * Calls both projects, with two callers each, until the compilers have taken little of the time twice in a row.
     *
     * @return how it went, for the figures
     */
    private static Map<String, Object> warmUp(PackagedPlane plane, Project neighbour, Project attacker)
            throws Exception {
        long begun = System.nanoTime();
        double share = 1;
        int few = 0;
        while (few < 2 && System.nanoTime() - begun < WARM_UP_MAX.toNanos()) {
            double compiling = compilingSeconds(plane);
            long sliceBegun = System.nanoTime();
            warmUpOnce(neighbour, attacker);
            share = (compilingSeconds(plane) - compiling) / ((System.nanoTime() - sliceBegun) / 1e9);
            few = share <= COMPILING_MAX ? few + 1 : 0;
        }
        return Map.of("seconds", (System.nanoTime() - begun) / 1_000_000_000, "compiling", share, "settled", few == 2);
    }

    private static void warmUpOnce(Project neighbour, Project attacker) throws Exception {
        int calls = Form.current().pick(5, 500);
        List<Callable<Void>> callers = List.of(
                caller(neighbour, "echo", calls),
                caller(attacker, HARMLESS, calls),
                caller(neighbour, "echo", calls),
                caller(attacker, HARMLESS, calls));
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (Future<Void> done : threads.invokeAll(callers)) {
                done.get();
            }
        }
    }

    private static Callable<Void> caller(Project of, String tool, int calls) {
        return () -> {
            for (int call = 0; call < calls; call++) {
                of.tool(tool, Map.of("n", call)).expect(200);
            }
            return null;
        };
    }

    /** How long the compilers of the server's JVM have compiled since its start, all their threads summed. */
    private static double compilingSeconds(PackagedPlane plane) {
        String jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd").toString();
        String counters = Command.of(jcmd, Long.toString(plane.server().pid()), "PerfCounter.print")
                .run()
                .orFail();
        return (double) counter(counters, "java.ci.totalTime") / counter(counters, "sun.os.hrt.frequency");
    }

    private static long counter(String counters, String name) {
        return counters.lines()
                .filter(line -> line.startsWith(name + "="))
                .mapToLong(line -> Long.parseLong(line.substring(name.length() + 1)))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no counter " + name + " among those of the server"));
    }

    /** Lets bombs go off, one after another, while this is done; how many there were. */
    private static int during(Project attacker, Meanwhile meanwhile, Runnable calls) throws Exception {
        CountDownLatch over = new CountDownLatch(1);
        AtomicInteger bombs = new AtomicInteger();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<?> bombing = threads.submit(() -> {
                long left = 0;
                while (!over.await(left, TimeUnit.MILLISECONDS)) {
                    long begun = System.nanoTime();
                    attacker.execute(Map.of(
                            "action",
                            "invoke",
                            "kind",
                            "tool",
                            "handler",
                            meanwhile.tool,
                            "event",
                            Map.of(),
                            "meta",
                            Map.of("timeout_ms", BOMB_MS)));
                    bombs.incrementAndGet();
                    left = meanwhile.everyMs - TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begun);
                }
                return null;
            });
            try {
                Thread.sleep(FUSE_MS);
                calls.run();
            } finally {
                over.countDown();
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
