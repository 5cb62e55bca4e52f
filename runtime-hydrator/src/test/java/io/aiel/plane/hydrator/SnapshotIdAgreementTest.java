package io.aiel.plane.hydrator;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.registry.snapshot.SnapshotId;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The registry's id of a tree is the one that the bundle's own aiel-runtime computes over the same files. */
class SnapshotIdAgreementTest {
    private static final List<String> NAMES = List.of(
            "a",
            "A",
            "aa",
            "a b",
            " a",
            "a!b",
            "a-b",
            "a.b",
            "a..b",
            "a.py",
            "a0",
            "_a",
            "~a",
            "Z",
            ".a",
            "...",
            ".git",
            ".gitignore",
            ".venv",
            ".venv2",
            "__pycache__",
            "__pycache__.py",
            "__init__.py",
            "entry_point.py",
            "\u00e9",
            "e\u0301",
            "\u4e2d\u6587.py",
            "\uFB01",
            "\uFFEE",
            "\uD83D\uDE00",
            "\uD834\uDD1E.py");

    /** Python writes the files, because it writes any name whatever the locale. */
    private static final String COMPUTE = """
            import json, pathlib, sys, tempfile
            sys.path.append(sys.argv[1])
            from aiel_runtime.loader import compute_snapshot_id
            for tree in json.loads(pathlib.Path(sys.argv[2]).read_text("utf-8")):
                with tempfile.TemporaryDirectory(dir=sys.argv[3]) as folder:
                    root = pathlib.Path(folder)
                    for path, text in tree.items():
                        file = root / path
                        file.parent.mkdir(parents=True, exist_ok=True)
                        file.write_bytes(text.encode("utf-8"))
                    print(compute_snapshot_id(root), flush=True)
            """;

    @Test
    void holdsForTreesWithTrickyNames(@TempDir Path folder) throws Exception {
        List<Map<String, String>> trees = new ArrayList<>();
        trees.add(Map.of());
        trees.add(Map.of("a.py", "1", "a/b.py", "2", "a-b", "3", "a b/c", ""));
        trees.add(Map.of("__pycache__/m.pyc", "1", "pkg/__pycache__/m.pyc", "2", ".git/config", "3", "x/.git/y", "4"));
        for (int seed = 0; seed < 100; seed++) {
            trees.add(tree(new Random(seed)));
        }

        assertThat(trees.stream().map(SnapshotIdAgreementTest::id).toList()).isEqualTo(computed(folder, trees));
    }

    private static Map<String, String> tree(Random random) {
        Map<String, String> tree = new TreeMap<>();
        for (int file = 0; file < 40; file++) {
            StringBuilder path = new StringBuilder(name(random));
            for (int depth = random.nextInt(4); depth > 0; depth--) {
                path.append('/').append(name(random));
            }
            String wanted = path.toString();
            boolean free = tree.keySet().stream()
                    .noneMatch(other -> other.startsWith(wanted + "/") || wanted.startsWith(other + "/"));
            if (free) {
                tree.put(wanted, "content " + random.nextInt());
            }
        }
        return tree;
    }

    private static String name(Random random) {
        return NAMES.get(random.nextInt(NAMES.size()));
    }

    private static String id(Map<String, String> tree) {
        SnapshotId id = new SnapshotId();
        tree.keySet().stream()
                .sorted(SnapshotId.ORDER)
                .forEach(path -> id.add(path, tree.getOrDefault(path, "").getBytes(UTF_8)));
        return id.hex();
    }

    private static List<String> computed(Path folder, List<Map<String, String>> trees) throws Exception {
        Python python = Python.find(Optional.empty(), System.getenv());
        Path data = Plane.DATA.toAbsolutePath();
        Path bundle = new BundleInstaller(data, python, Duration.ofMinutes(5), System.out::println)
                .install(new BundleLocks(data).find("minimal"), BundleCheck.Limits.DEFAULT);
        ArrayNode input = Plane.JSON.createArrayNode();
        trees.forEach(tree -> {
            ObjectNode object = input.addObject();
            tree.forEach(object::put);
        });
        Path file = Files.write(folder.resolve("trees.json"), Plane.JSON.writeValueAsBytes(input));
        Path output = folder.resolve("ids");
        Process process = new ProcessBuilder(
                        python.executable().toString(),
                        "-I",
                        "-S",
                        "-B",
                        "-X",
                        "utf8",
                        "-c",
                        COMPUTE,
                        bundle.resolve("site").toString(),
                        file.toString(),
                        folder.toString())
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        try {
            assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
            assertThat(process.exitValue()).as(Files.readString(output)).isZero();
        } finally {
            process.destroyForcibly();
        }
        return Files.readAllLines(output);
    }
}
