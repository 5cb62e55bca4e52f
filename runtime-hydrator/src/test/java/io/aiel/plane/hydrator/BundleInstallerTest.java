package io.aiel.plane.hydrator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import io.aiel.plane.vocabulary.Digest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What the installer of worker bundles makes of wheels that are wrong: none becomes a bundle, none writes outside of its own
 * folder. uv and pip are the real ones; the lock files name archives that the test made.
 *
 * <p>Meant to fail: without {@code BundleCheck.check} in {@code BundleInstaller}, those whose refusal begins with "the unpacked
 * packages are refused" become bundles.
 */
class BundleInstallerTest {
    private static final BundleCheck.Limits LIMITS = new BundleCheck.Limits(500, 4 << 20);

    @TempDir
    Path folder;

    private final List<String> progress = new ArrayList<>();

    static Stream<Arguments> bad() {
        byte[] nothing = new byte[64 << 20];
        Wheel crowd = new Wheel("crowd");
        for (int i = 0; i < 600; i++) {
            crowd.file("crowd/m" + i + ".py", "");
        }
        String refused = "the unpacked packages are refused: .*";
        return Stream.of(
                argumentSet(
                        "one name twice",
                        new Wheel("bad").file("evil.py", "x = 1").file("evil.py", "x = 2"),
                        ".+"),
                argumentSet(
                        "a bomb", new Wheel("bad").file("zeros.bin", nothing), refused + "more than 4194304 bytes.*"),
                argumentSet("too many files", crowd, refused + "more than 500 files.*"),
                argumentSet(
                        "another hash than in the RECORD",
                        new Wheel("bad")
                                .unrecorded("evil.py", "x = 1")
                                .record("evil.py,sha256=" + "A".repeat(43) + ",5"),
                        ".*evil.py.*|.*hash.*"),
                argumentSet(
                        "a file that is not in the RECORD",
                        new Wheel("bad").unrecorded("evil.py", "x = 1"),
                        refused + "evil.py .*"),
                argumentSet(
                        "names that differ in case alone",
                        new Wheel("bad").file("a.py", "").file("A.py", ""),
                        refused + ".*differ in letter case.*"),
                argumentSet(
                        "an encrypted file",
                        new Wheel("bad").file("evil.py", "x = 1").central(c -> c.putShort(8, (short) 0x801)),
                        ".+"),
                argumentSet(
                        "a size that is too small",
                        new Wheel("bad").file("evil.py", "x = 1000").central(c -> c.putInt(24, 1)),
                        ".+"));
    }

    @ParameterizedTest
    @MethodSource("bad")
    void refusesAWheelThatIsWrongAndLeavesNothingOfIt(Wheel wheel, String why) throws Exception {
        String lock = wheel.lock(folder);

        HydratorFailure failure = catchThrowableOfType(HydratorFailure.class, () -> install(lock, LIMITS));

        assertThat(failure).as("refused; %s", progress).isNotNull();
        assertThat(failure.getMessage()).matches("(?s)" + why).doesNotStartWith("the check ended");
        assertThat(leftovers()).isEmpty();
    }

    @Test
    void refusesAnArchiveThatTheLockDoesNotName() throws Exception {
        String lock = new Wheel("bad").file("a.py", "").lock(folder);
        String other = lock.substring(0, lock.indexOf("sha256:")) + Digest.of("another archive");

        HydratorFailure failure = catchThrowableOfType(HydratorFailure.class, () -> install(other, LIMITS));

        assertThat(failure.getMessage()).containsIgnoringCase("hash");
        assertThat(leftovers()).isEmpty();
    }

    @Test
    void refusesTwoPackagesThatBringTheSameFile() throws Exception {
        String lock = new Wheel("one").file("same.py", "x = 1").lock(folder) + "\n"
                + new Wheel("two").file("same.py", "x = 2").lock(folder);

        HydratorFailure failure = catchThrowableOfType(HydratorFailure.class, () -> install(lock, LIMITS));

        assertThat(failure.getMessage()).matches("(?s).*same.py.*");
        assertThat(leftovers()).isEmpty();
    }

    /** What uv leaves out, or unpacks to something else than was meant: the file with a link's mode is a file with its text. */
    static Stream<Arguments> harmless() {
        return Stream.of(
                argumentSet("out of the folder", new Wheel("bad").file("../evil.py", "x = 1")),
                argumentSet("far out of the folder", new Wheel("bad").file("a/../../../../evil.py", "x = 1")),
                argumentSet("an absolute path", new Wheel("bad").file("/evil.py", "x = 1")),
                argumentSet("a link", new Wheel("bad").link("evil.py", "/etc/passwd")),
                argumentSet(
                        "a file that is only in the RECORD",
                        new Wheel("bad").file("a.py", "").record("gone.py,sha256=" + "A".repeat(43) + ",5")),
                argumentSet(
                        "a size of four gibibytes",
                        new Wheel("bad").file("evil.py", "x = 1000").central(c -> c.putInt(24, 0xFFFFFFFE))));
    }

    @ParameterizedTest
    @MethodSource("harmless")
    void letsNothingOutOfItsFolderWhateverAWheelNames(Wheel wheel) throws Exception {
        String lock = wheel.lock(folder);

        HydratorFailure failure = catchThrowableOfType(HydratorFailure.class, () -> install(lock, LIMITS));

        assertThat(failure).as("no bundle; %s", progress).isNotNull();
        assertThat(leftovers()).isEmpty();
    }

    /** A good wheel comes as far as the import of the bundle's own packages, which it does not hold. */
    @Test
    void unpacksAWheelThatIsAsItSays() throws Exception {
        String lock = new Wheel("good")
                .file("good/__init__.py", "x = 1\n")
                .file("good/data.txt", "text")
                .lock(folder);

        HydratorFailure failure = catchThrowableOfType(HydratorFailure.class, () -> install(lock, LIMITS));

        assertThat(failure.getMessage()).startsWith("the check ended").contains("aiel_sdk");
        assertThat(leftovers()).isEmpty();
    }

    private Path install(String lock, BundleCheck.Limits limits) throws HydratorFailure, InterruptedException {
        // uv is fetched once for all tests of this module; bundles go there too, and nowhere else.
        return new BundleInstaller(
                        Plane.DATA,
                        Python.find(Optional.empty(), System.getenv()),
                        Duration.ofMinutes(3),
                        progress::add)
                .install(new BundleLock("wrong", lock, List.of(), false), limits);
    }

    /** Bundles of this test, folders of interrupted installations, and what got out. */
    private List<String> leftovers() throws Exception {
        List<String> left = new ArrayList<>();
        try (Stream<Path> below = Files.list(Plane.DATA.resolve("bundles"))) {
            below.map(path -> String.valueOf(path.getFileName()))
                    .filter(name -> name.startsWith("wrong-") || name.startsWith("tmp-"))
                    .forEach(left::add);
        }
        for (Path out : List.of(
                Path.of("/evil.py"),
                Plane.DATA.resolve("evil.py"),
                Plane.DATA.resolve("bundles/evil.py"),
                Path.of("evil.py"))) {
            if (Files.exists(out)) {
                left.add(out.toString());
            }
        }
        return left;
    }
}
