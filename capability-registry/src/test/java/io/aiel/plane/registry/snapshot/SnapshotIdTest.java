package io.aiel.plane.registry.snapshot;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * The wanted order and id were computed by {@code aiel_runtime.loader.compute_snapshot_id} of aiel-runtime 0.5.3 (Python 3.11) over a
 * folder with these files, each holding the text {@code content of <path>}.
 */
class SnapshotIdTest {
    private static final List<String> ORDER = List.of(
            ".env",
            "B",
            "Zeta/x.py",
            "_x",
            "a/0",
            "a/b",
            "a/b-c",
            "a/b.py",
            "a b",
            "a!b",
            "a-b",
            "a.py",
            "a0",
            "aa/a",
            "ab",
            "b",
            "entry_point.py",
            "pkg/__init__.py",
            "pkg-x/__init__.py",
            "pkg.txt",
            "z",
            "é.py",
            "\uFB01.py",
            "\uFFEE",
            "\uD83D\uDE00.py");
    private static final String ID = "06393a6b71ecd9b7117118968e5073894d4ebfcd13b36f066857ae96cee8d916";

    @Test
    void sortsPathsAsPythonDoesPartByPartAndByCodePoints() {
        for (int seed = 0; seed < 20; seed++) {
            List<String> shuffled = new ArrayList<>(ORDER);
            Collections.shuffle(shuffled, new Random(seed));

            shuffled.sort(SnapshotId.ORDER);

            assertThat(shuffled).isEqualTo(ORDER);
        }
    }

    @Test
    void isTheIdThatTheRuntimeComputes() {
        assertThat(id(ORDER)).isEqualTo(ID);
    }

    @Test
    void leavesOutWhatTheRuntimeLeavesOutAtTheRootAndNothingElse() {
        List<String> more = new ArrayList<>(ORDER);
        more.add(".git/config");
        more.add(".venv/x");
        more.add("__pycache__/m.pyc");
        assertThat(id(more)).isEqualTo(ID);

        more.add("pkg/__pycache__/m.pyc");
        assertThat(id(more)).isNotEqualTo(ID);
    }

    private static String id(List<String> paths) {
        SnapshotId id = new SnapshotId();
        paths.stream().sorted(SnapshotId.ORDER).forEach(path -> id.add(path, ("content of " + path).getBytes(UTF_8)));
        return id.hex();
    }
}
