package io.aiel.plane.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.fixtures.Backends;
import io.aiel.plane.fixtures.Form;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Results;
import io.aiel.plane.fixtures.Waiting;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Everything dies at random under load, and afterwards an {@link Oracle} compares every answer with what is kept.
 *
 * <p>Workers run in tier {@code none}, so that they can leave a trace outside the plane: in the other tiers they cannot, which is
 * what those are for. What is tested here does not depend on the tier.
 *
 * <p>The seed is printed; {@code -Dplane.seed=N} repeats the faults in their order (not their exact moments), and
 * {@code -Dplane.storm.seconds=N} sets the length.
 */
@Tag("faults")
class StormTest {
    private static final Duration SETTLED = Duration.ofMinutes(4);
    private static final int PROJECTS = 3;

    private final long seed = Long.getLong("plane.seed", System.nanoTime() & 0xffffff);

    @Test
    void losesDoublesAndReordersNothing() throws Exception {
        Duration length = Form.current().pick(Duration.ofMinutes(3), Duration.ofMinutes(30));
        length = Duration.ofSeconds(Long.getLong("plane.storm.seconds", length.toSeconds()));
        System.out.println("storm: seed " + seed + ", " + length);
        Ledger ledger = new Ledger();
        Path witness = Load.newWitness();
        try (Backends backends = Backends.start();
                PackagedPlane plane = PackagedPlane.start(backends.options().with("--isolation", "none"))) {
            List<Project> projects = new ArrayList<>();
            for (int i = 0; i < PROJECTS; i++) {
                Project project = plane.newProject("storm-" + i);
                project.push(Load.CODE);
                projects.add(project);
            }
            Map<String, Integer> faults;
            try (Load load = new Load(ledger, witness.toString());
                    Storm storm = new Storm(plane, backends, seed)) {
                projects.forEach(project -> load.callers(project, 2, 40));
                load.changes(projects.getFirst(), 400);
                storm.rage(length);
                storm.settle();
                faults = storm.done();
                assertThat(faults.keySet())
                        .as("each part was killed")
                        .contains("KAFKA killed", "POSTGRES killed", "SERVER killed", "WORKER killed", "ZYGOTE killed");
                for (Project project : projects) {
                    Waiting.until(SETTLED, () -> works(project), Boolean::booleanValue, "a plane that works again");
                }
            }
            Oracle.awaitQuiet(backends, SETTLED);

            Oracle.Verdict verdict = Oracle.judge(ledger, Optional.of(Load.seen(witness)), backends);

            Map<String, Object> figures = new TreeMap<>(verdict.figures());
            figures.put("seed", seed);
            figures.put("seconds", length.toSeconds());
            figures.put("faults", faults);
            Results.keep("faults", "storm", figures);
            assertThat(verdict.problems()).as("seed %d: %s", seed, verdict).isEmpty();
            assertThat(ledger.acknowledged())
                    .as("most of the time there was an answer")
                    .isGreaterThan(length.toSeconds());
        }
    }

    private static boolean works(Project project) {
        Ledger.Call call = Load.call(project, "after", 0, 0, false, "");
        return call.heard() instanceof Ledger.Heard.Envelope envelope && envelope.ok();
    }
}
