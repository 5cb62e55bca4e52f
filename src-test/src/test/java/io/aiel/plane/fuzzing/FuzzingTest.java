package io.aiel.plane.fuzzing;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.fixtures.Form;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Results;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Every parser of bytes that strangers send keeps its promise on inputs that a coverage-guided fuzzer makes: the kept ones first,
 * then new ones. The same seed in the short form each time, so that a build does not fail for luck; another in each long run.
 * What a long run finds is mended, and the input is kept in {@code src-test/fuzz}.
 *
 * <p>Seen to fail: without the check of normal form C and with letters folded once in {@code FilePath}; with the expiry not
 * looked at, and with the path left out of the signature, in {@code SignedUrls}; with a frame allocated before its length is
 * checked in {@code FrameDecoder}.
 */
@Tag("callers")
class FuzzingTest {
    private static final Duration EACH = Form.current().pick(Duration.ofSeconds(20), Duration.ofMinutes(3));
    private static final int SEED = Form.current().pick(20_261_123, (int) (System.nanoTime() & 0x7fff_ffff));

    /** On an idle machine these are a second or two; -1 is as many as the time allows. */
    private static final int INPUTS = Form.current().pick(10_000, -1);

    /** A machine that is busy makes less of the time; with none made anew, nothing would be tried that has not been before. */
    private static final int NEW_INPUTS_MIN = 200;

    @Test
    void everyParserOfUntrustedBytesKeepsItsPromiseOnWhateverComes() throws Exception {
        List<FuzzTarget> targets = FuzzTarget.all();
        assertThat(targets)
                .extracting(FuzzTarget::name)
                .contains(
                        "AuditCodecFuzz",
                        "CallbackUrlFuzz",
                        "CronExpressionFuzz",
                        "DecisionReaderFuzz",
                        "ExportsFuzz",
                        "FilePathFuzz",
                        "GrpcRequestFuzz",
                        "HandlerFuzz",
                        "HeadersFuzz",
                        "IdsFuzz",
                        "InputCheckFuzz",
                        "LogEntryFuzz",
                        "PostgresMessagesFuzz",
                        "RequestPathFuzz",
                        "RpcMessageFuzz",
                        "RunnerRequestFuzz",
                        "SignedUrlFuzz",
                        "TokenFuzz",
                        "WorkerProtocolFuzz",
                        "ZygoteProtocolFuzz");
        Path work = Files.createDirectories(Path.of("target/fuzzing").toAbsolutePath());

        Map<String, FuzzTarget.Outcome> outcomes = run(targets, work);

        Map<String, Long> figures = new LinkedHashMap<>();
        outcomes.forEach((name, outcome) -> figures.put(name, outcome.inputs()));
        Results.keep("callers", "fuzzing", Map.of("seconds_each", EACH.toSeconds(), "seed", SEED, "inputs", figures));
        assertThat(outcomes).allSatisfy((name, outcome) -> {
            assertThat(outcome.ended())
                    .as("%s ends:\n%s", name, outcome.output())
                    .isTrue();
            assertThat(outcome.exit())
                    .as("%s finds nothing:\n%s", name, outcome.output())
                    .isZero();
            assertThat(outcome.inputs()).as("inputs of %s", name).isGreaterThan(kept(name) + NEW_INPUTS_MIN);
        });
    }

    @Test
    void everyParserHasInputsThatAreKept() throws IOException {
        for (FuzzTarget target : FuzzTarget.all()) {
            try (var files = Files.list(target.corpus())) {
                assertThat(files.count()).as(target.name()).isGreaterThanOrEqualTo(4);
            }
        }
    }

    private static long kept(String name) {
        File[] files = PackagedPlane.repository()
                .resolve("src-test/fuzz")
                .resolve(name)
                .toFile()
                .listFiles();
        return files == null ? Long.MAX_VALUE : files.length;
    }

    /** Two at a time, as many as the smallest machine has processors. */
    private static Map<String, FuzzTarget.Outcome> run(List<FuzzTarget> targets, Path work) throws Exception {
        Map<String, FuzzTarget.Outcome> outcomes = new LinkedHashMap<>();
        try (ExecutorService two = Executors.newFixedThreadPool(2)) {
            List<Callable<FuzzTarget.Outcome>> runs = targets.stream()
                    .<Callable<FuzzTarget.Outcome>>map(target -> () -> target.run(work, EACH, INPUTS, SEED))
                    .toList();
            List<Future<FuzzTarget.Outcome>> done = two.invokeAll(runs);
            for (int i = 0; i < targets.size(); i++) {
                outcomes.put(targets.get(i).name(), done.get(i).get());
            }
        }
        return outcomes;
    }
}
