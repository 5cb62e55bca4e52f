package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Command;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Pyflakes;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** The benchmark's harness does what it says, with the one row that needs nothing installed. No time is compared with anything. */
class BenchHarnessTest {
    private static final Path BENCH = PackagedPlane.repository().resolve("src-test/bench");
    private static final Duration LIMIT = Duration.ofMinutes(3);

    /** The generator checks each answer and counts what it measured. Meant to fail: with a sum in Null.java that is wrong by one. */
    @Test
    void measuresTheNullServerAndFindsItsAnswersRight() {
        JsonNode figures = PlaneClient.read(harness("""
                from harness import loadgen, rows
                with loadgen.LoadGenerator() as load, rows.NullRow() as row:
                    print(json.dumps(load.run([row.request()], 4, 0.5)))
                """).orFail().strip());

        assertThat(figures.path("completed").asLong()).isPositive();
        assertThat(figures.path("count").asLong())
                .isEqualTo(figures.path("completed").asLong());
        assertThat(figures.path("p99_ms").asDouble())
                .isGreaterThanOrEqualTo(figures.path("p50_ms").asDouble());
    }

    /** A fast wrong answer must not become a figure. */
    @Test
    void refusesARowWhoseAnswersAreWrong() {
        Command.Result result = harness("""
                from harness import loadgen, rows
                with loadgen.LoadGenerator() as load, rows.NullRow() as row:
                    load.run([{**row.request(), "expect": '"sum":-1'}], 1, 0.2)
                """);

        assertThat(result.exit()).isNotZero();
        assertThat(result.toString()).contains("wrong answers");
    }

    /** What is compared of a stream is its first chunk; an answer that never has it is wrong, however fast. */
    @Test
    void countsAnAnswerToTheMomentThatIsAskedFor() {
        String run = """
                from harness import loadgen, rows
                with loadgen.LoadGenerator() as load, rows.NullRow() as row:
                    print(json.dumps(load.run([{**row.request(), "until": %s}], 2, 0.3)))
                """;

        JsonNode there =
                PlaneClient.read(harness(run.formatted("'\"sum\"'")).orFail().strip());
        Command.Result missing = harness(run.formatted("'nowhere'"));

        assertThat(there.path("count").asLong()).isPositive();
        assertThat(missing.exit()).isNotZero();
        assertThat(missing.toString()).contains("wrong answers");
    }

    /** Nor does one become a figure where the program that asks runs in a worker too. */
    @Test
    void refusesAnIntegrationsWrongAnswer() {
        Command.Result result = harness("""
                from harness import integrations, rows
                sys.path.insert(0, sys.argv[1] + "/peers/plane")
                import asks
                with rows.NullRow() as row:
                    print(asks.ask(row.request()["url"], "/", "token", 1))
                """);

        assertThat(result.exit()).isNotZero();
        assertThat(result.toString()).contains("a wrong answer");
    }

    /**
     * All of them must be there, each name on its own measurement, and none may need what another row needs installed. For a day {@code grpc} named
     * the function beside the measurement, and the whole comparison ended with a stack trace.
     */
    @Test
    void knowsTheWaysIn() {
        assertThat(harness("""
                from harness import further, ways
                print(sorted((name, further.ALL[name].measure.__name__) for name in ways.NAMES if not further.ALL[name].by_default))
                """).orFail().strip())
                .isEqualTo(
                        "[('async-start', 'async_start'), ('async-throughput', 'async_throughput'), ('grpc', 'grpc'), "
                                + "('stream-first', 'stream_first'), ('stream-idle', 'stream_idle')]");
    }

    /**
     * Most of the harness runs in measurements alone, for minutes: a wrong name would be noticed at their end. Meant to fail: one was, in what is
     * shown of a stream's first chunk.
     */
    @Test
    void namesOnlyWhatThereIs() {
        assertThat(Pyflakes.install().judge(BENCH.resolve("harness"))).isEmpty();
    }

    private static Command.Result harness(String program) {
        return Command.of(
                        System.getenv().getOrDefault("PLANE_PYTHON", "/usr/bin/python3"),
                        "-B",
                        "-c",
                        "import json, sys\nsys.path.insert(0, sys.argv[1])\n" + program,
                        BENCH.toString())
                .with("JAVA_HOME", System.getProperty("java.home"))
                .within(LIMIT)
                .run();
    }
}
