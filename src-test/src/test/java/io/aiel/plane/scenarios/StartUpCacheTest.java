package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.fixtures.PackagedPlane;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** What {@code ./plane learn} made for faster starts is really used: the JVM refuses one that does not fit without a word. */
class StartUpCacheTest {
    /** Meant to fail when the class path or the options of the start are not those of the trial run. */
    @Test
    void startsFromWhatWasLearned() throws IOException {
        try (PackagedPlane plane = PackagedPlane.start()) {
            Path cache = PackagedPlane.repository().resolve("execution-gateway/target/plane.aot");
            assertThat(cache).isRegularFile();
            // The JDK's own archive has 13 MiB; the server's classes with what was seen of them have many times that.
            assertThat(Files.size(cache)).isGreaterThan(60L << 20);
            assertThat(Path.of("/proc", Long.toString(plane.server().pid()), "maps"))
                    .content()
                    .contains(cache.toString());
        }
    }
}
