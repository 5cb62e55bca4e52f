package io.aiel.plane.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.aiel.plane.fixtures.Backends;
import io.aiel.plane.fixtures.Form;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Waiting;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A plane that breaks its promise must be caught: each test runs a copy with one line changed, kills PostgreSQL once under load, and
 * wants the oracle to name what was lost. Seen to: some 400 problems in 1,100 calls, and 330 in 990. In the long form only, as each needs a plane of its own; in the short form
 * {@link SingleFaultsTest#isNotFooled} spoils the tables instead.
 */
@Tag("faults")
class MutantsTest {
    private static final Duration LIMIT = Duration.ofMinutes(3);
    private static final String EXECUTION = "io/aiel/plane/gateway/execution/";

    @Test
    void catchesAPlaneThatAnswersBeforeTheCommit() {
        assertThat(verdictOn(
                                EXECUTION + "ExecutionJournal.java",
                                "            flushIfPossible();\n        });",
                                "            emitter.complete(true);\n            flushIfPossible();\n        });")
                        .problems())
                .anySatisfy(problem ->
                        assertThat(problem).contains("was acknowledged as").contains("is kept as []"));
    }

    @Test
    void catchesAPlaneThatSkipsTheOutbox() {
        assertThat(verdictOn(
                                EXECUTION + "PostgresExecutionStore.java",
                                "\"r.part is null or r.part in (select place from effective)\"",
                                "\"r.part is null\"")
                        .problems())
                .anySatisfy(problem -> assertThat(problem).contains("has 0 terminal records"));
    }

    private static Oracle.Verdict verdictOn(String source, String text, String replacement) {
        assumeThat(Form.current()).as("mutants run in the long form").isEqualTo(Form.LONG);
        Ledger ledger = new Ledger();
        Path witness = Load.newWitness();
        try (Mutant mutant = new Mutant(source, text, replacement);
                Backends backends = Backends.start();
                PackagedPlane plane = PackagedPlane.start(
                        backends.options().with("--isolation", "none").from(mutant.home()))) {
            Project project = plane.newProject("mutant");
            project.push(Load.CODE);
            try (Load load = new Load(ledger, witness.toString())) {
                load.callers(project, 6, 1);
                for (int kill = 0; kill < 3; kill++) {
                    long before = ledger.acknowledged();
                    Waiting.until(LIMIT, ledger::acknowledged, count -> count > before + 100, "answers");
                    backends.postgres().kill();
                    backends.postgres().start();
                }
            }
            // What is wrong may keep it from ever being quiet: it is judged after a while in any case.
            try {
                Oracle.awaitQuiet(backends, Duration.ofSeconds(45));
            } catch (AssertionError e) {
                System.out.println("mutant: " + e.getMessage());
            }
            Oracle.Verdict verdict = Oracle.judge(ledger, Optional.of(Load.seen(witness)), backends);
            System.out.println("mutant: " + replacement.strip() + ": " + verdict);
            return verdict;
        }
    }
}
