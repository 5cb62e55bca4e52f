package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.fixtures.Command;
import io.aiel.plane.fixtures.PackagedPlane;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code ./plane bundle} as an operator uses it, on a data folder of its own. */
class BundleCommandTest {
    @TempDir
    Path scratch;

    private Command.Result bundle(String... words) {
        List<String> all = new ArrayList<>(
                List.of(PackagedPlane.repository().resolve("plane").toString(), "bundle"));
        all.addAll(List.of(words));
        all.addAll(List.of("--data", scratch.resolve("data").toString()));
        return Command.of(all.toArray(new String[0]))
                .with("PLANE_BUILD", "never")
                .with("JAVA_HOME", System.getProperty("java.home"))
                .within(Duration.ofMinutes(3))
                .run();
    }

    /** The packages of the bundle {@code minimal}, in a file that is not its own. */
    private Path lock() throws IOException {
        Path own = PackagedPlane.repository().resolve("runtime-hydrator/src/main/bundles/minimal/requirements.lock");
        return Files.writeString(
                scratch.resolve("requirements.lock"), Files.readString(own) + "\n# an operator's own\n");
    }

    @Test
    void addsShowsRemovesAndCollects() throws IOException {
        Files.createDirectories(scratch.resolve("data"));
        Path lock = lock();

        Command.Result added = bundle("add", "mine-2026", lock.toString(), "--import", "jsonschema");

        assertThat(added.orFail()).contains("mine-2026").containsPattern("\\d+ packages");
        assertThat(added.err()).as("progress").contains("Installing worker bundle");
        assertThat(bundle("list").orFail()).contains("mine-2026", "minimal").containsPattern("(?m)^ai ");

        Files.writeString(lock, Files.readString(lock) + "# changed\n");
        Command.Result another = bundle("add", "mine-2026", lock.toString(), "--import", "jsonschema");
        assertThat(another.exit()).as("a name means one lock file").isNotZero();
        assertThat(another.err()).contains("mine-2026");

        assertThat(bundle("gc").orFail()).as("it is named").contains("Nothing to delete.");
        assertThat(bundle("remove", "mine-2026").orFail()).contains("Removed.");
        assertThat(bundle("list").orFail()).doesNotContain("mine-2026");
        assertThat(bundle("gc").orFail()).contains("Deleted mine-2026-");
    }

    @Test
    void keepsNothingOfWhatHasNoHashes() throws IOException {
        Files.createDirectories(scratch.resolve("data"));
        Path lock = Files.writeString(scratch.resolve("requirements.lock"), "aiel-sdk==1.8.0\n");

        Command.Result refused = bundle("add", "bare", lock.toString());

        assertThat(refused.exit()).isNotZero();
        assertThat(refused.err()).contains("hash").doesNotContain("\tat ");
        assertThat(bundle("list").orFail()).doesNotContain("bare");
        try (Stream<Path> left = Files.walk(scratch.resolve("data"))) {
            assertThat(left.map(Path::getFileName).map(Path::toString))
                    .noneMatch(name -> name.startsWith("bare") || name.startsWith("tmp-"));
        }
    }
}
