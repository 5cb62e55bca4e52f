package io.aiel.plane.hydrator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aiel.plane.vocabulary.Digest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Snapshots on disk: whole or not at all, never outside of their folder, never gone while used. */
class SnapshotStoreTest {
    private final Plane.Snapshots source = new Plane.Snapshots();

    @TempDir
    private Path folder;

    private SnapshotStore store(long bytesMax) throws HydratorFailure {
        return new SnapshotStore(folder, source, bytesMax, Duration.ofSeconds(5));
    }

    private List<String> names() throws Exception {
        try (Stream<Path> children = Files.list(folder)) {
            return children.map(child -> String.valueOf(child.getFileName())).toList();
        }
    }

    @Test
    void filesAreReadOnlyAndFoldersClosed() throws Exception {
        SnapshotFiles files = source.add(Map.of("entry_point.py", "x = 1", "pkg/a/b.txt", "b"));
        try (SnapshotStore.Lease lease = store(1 << 20).lease(files.key())) {
            Path root = folder.resolve(lease.folder());
            assertThat(Files.readString(root.resolve("pkg/a/b.txt"))).isEqualTo("b");
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(root.resolve("entry_point.py"))))
                    .isEqualTo("r--r--r--");
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(root.resolve("pkg"))))
                    .isEqualTo("r-xr-xr-x");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"../out", "a/../../out", "/etc/out", "a//b", "a/./b", "a\\b", "a\u0000b", "a\nb", "", "."})
    void pathsThatLeadElsewhereAreRefused(String path) throws Exception {
        byte[] bytes = {1};
        Digest digest = Digest.of(bytes);
        source.blobs.put(digest, bytes);
        SnapshotFiles files =
                new SnapshotFiles(Digest.of("k" + path), "minimal", List.of(new SnapshotFiles.Entry(path, digest, 1)));
        SnapshotStore store = store(1 << 20);
        assertThatThrownBy(() -> store.lease(files))
                .isInstanceOf(HydratorFailure.class)
                .hasMessageContaining("path");
        assertThat(names()).isEmpty();
        assertThat(folder.resolveSibling("out")).doesNotExist();
    }

    @Test
    void bytesThatAreNotThoseOfTheDigestLeaveNothing() throws Exception {
        SnapshotFiles files = source.add(Map.of("entry_point.py", "good", "other.py", "fine"));
        source.blobs.replaceAll((digest, bytes) -> new byte[] {9, 9, 9, 9});
        SnapshotStore store = store(1 << 20);
        assertThatThrownBy(() -> store.lease(files.key()))
                .isInstanceOf(HydratorFailure.class)
                .hasMessageContaining("digest");
        assertThat(names()).isEmpty();
    }

    @Test
    void theLeastRecentlyUsedGoFirstAndUsedOnesNever() throws Exception {
        SnapshotStore store = store(250);
        SnapshotFiles first = source.add(Map.of("entry_point.py", "a".repeat(100)));
        SnapshotFiles second = source.add(Map.of("entry_point.py", "b".repeat(100)));
        SnapshotFiles third = source.add(Map.of("entry_point.py", "c".repeat(100)));
        SnapshotStore.Lease held = store.lease(first.key());
        store.lease(second.key()).close();
        store.lease(third.key()).close();
        assertThat(names())
                .contains(first.key().hex(), third.key().hex())
                .doesNotContain(second.key().hex());
        held.close();
        held.close();
        try (SnapshotStore.Lease again = store.lease(second.key())) {
            assertThat(names()).contains(again.folder());
        }
    }

    @Test
    void whatACrashLeftIsSweptAndWhatIsWholeIsKept() throws Exception {
        SnapshotFiles files = source.add(Map.of("entry_point.py", "x"));
        store(1 << 20).lease(files.key()).close();
        Files.createDirectories(folder.resolve("tmp-left").resolve("half"));
        source.blobs.clear();
        try (SnapshotStore.Lease lease = store(1 << 20).lease(files.key())) {
            assertThat(names()).containsExactly(lease.folder());
        }
    }
}
