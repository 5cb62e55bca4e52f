import io.aiel.plane.hydrator.DescribeReport;
import io.aiel.plane.hydrator.HydratorSettings;
import io.aiel.plane.hydrator.ProcessHydrator;
import io.aiel.plane.hydrator.SnapshotFiles;
import io.aiel.plane.hydrator.SnapshotSource;
import io.aiel.plane.vocabulary.Digest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;

/** Measures how long a new sandboxed worker takes from the fork until it has described its snapshot, over and over, in order. */
public final class WorkerStart {
    private static final int WARM_UP = 10;

    private WorkerStart() {}

    /** Takes a data folder, the number of starts, and the files of the snapshot. Prints one line of JSON. */
    public static void main(String[] arguments) throws Exception {
        int rounds = Integer.parseInt(arguments[1]);
        Map<Digest, byte[]> blobs = new HashMap<>();
        List<SnapshotFiles.Entry> entries = new ArrayList<>();
        for (String name : Arrays.asList(arguments).subList(2, arguments.length)) {
            byte[] bytes = Files.readAllBytes(Path.of(name));
            Digest digest = Digest.of(bytes);
            blobs.put(digest, bytes);
            entries.add(new SnapshotFiles.Entry(Path.of(name).getFileName().toString(), digest, bytes.length));
        }
        SnapshotFiles files = new SnapshotFiles(Digest.of(entries.toString()), "minimal", entries);
        SnapshotSource source = new SnapshotSource() {
            @Override
            public CompletionStage<SnapshotFiles> files(Digest snapshot) {
                return CompletableFuture.completedFuture(files);
            }

            @Override
            public CompletionStage<byte[]> blob(Digest digest) {
                byte[] found = blobs.get(digest);
                return found == null
                        ? CompletableFuture.failedFuture(new IOException("no blob " + digest))
                        : CompletableFuture.completedFuture(found);
            }
        };
        Path data = Files.createDirectories(Path.of(arguments[0]));
        try (ProcessHydrator hydrator =
                ProcessHydrator.start(HydratorSettings.defaults(data), source, System.err::println)) {
            hydrator.started().toCompletableFuture().get(10, TimeUnit.MINUTES);
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
            while (!hydrator.status().ready()) {
                if (System.nanoTime() > end) {
                    throw new IllegalStateException(hydrator.status().detail());
                }
                Thread.onSpinWait();
            }
            double[] millis = new double[rounds];
            for (int i = -WARM_UP; i < rounds; i++) {
                long start = System.nanoTime();
                DescribeReport report = hydrator.describe(files).toCompletableFuture().get(1, TimeUnit.MINUTES);
                if (!(report instanceof DescribeReport.Loaded)) {
                    throw new IllegalStateException("not described: " + report);
                }
                if (i >= 0) {
                    millis[i] = (System.nanoTime() - start) / 1e6;
                }
            }
            Arrays.sort(millis);
            System.out.printf(
                    Locale.ROOT,
                    "{\"starts\": %d, \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"min_ms\": %.2f}%n",
                    rounds,
                    millis[rounds / 2],
                    millis[(int) (rounds * 0.99)],
                    millis[0]);
        }
    }
}
