package io.aiel.plane.policy;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.vocabulary.Digest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The checked-in wasm is what the checked-in Rego compiles to. */
class DefaultPolicyFilesTest {

    /**
     * Needs no compiler. Broken once by changing principal.rego without compiling it: this test and the next failed.
     */
    @Test
    void theGeneratedFileNamesTheDigestOfTheSources() throws IOException {
        JsonNode description = new ObjectMapper()
                .readTree(ModuleFiles.GENERATED.resolve("default-policy.json").toFile());

        assertThat(description.path("sources_digest").asText())
                .as("sources changed since they were compiled; run policy-engine/compile-policy")
                .isEqualTo(sourcesDigest().value());
        assertThat(description.path("wasm_digest").asText())
                .isEqualTo(Digest.of(Files.readAllBytes(ModuleFiles.GENERATED.resolve("default-policy.wasm")))
                        .value());
    }

    /** OPA's output is the same for the same sources in any folder, so the bytes can be compared. */
    @Test
    void theRealCompilerMakesTheSameBytes() throws IOException, InterruptedException {
        OpaCompiler.orSkip();

        OpaCompiler.Result check = OpaCompiler.runScript("--check");

        assertThat(check.exit()).as(check.err()).isZero();
    }

    @Test
    void theRegoTestsPassInOpa() throws IOException, InterruptedException {
        OpaCompiler opa = OpaCompiler.orSkip();

        OpaCompiler.Result tests =
                opa.run("test", "--verbose", ModuleFiles.SOURCES.toString(), ModuleFiles.REGO_TESTS.toString());

        assertThat(tests.exit()).as(tests.out() + tests.err()).isZero();
        assertThat(tests.out()).contains("PASS: ");
    }

    @Test
    void theSourcesAreStrictAndFormattedAsOpaDoes() throws IOException, InterruptedException {
        OpaCompiler opa = OpaCompiler.orSkip();

        OpaCompiler.Result strict = opa.run("check", "--strict", ModuleFiles.SOURCES.toString());
        OpaCompiler.Result format =
                opa.run("fmt", "--list", "--fail", ModuleFiles.SOURCES.toString(), ModuleFiles.REGO_TESTS.toString());

        assertThat(strict.exit()).as(strict.out() + strict.err()).isZero();
        assertThat(format.exit()).as(format.out() + format.err()).isZero();
    }

    /** As compile-policy computes it. */
    private static Digest sourcesDigest() throws IOException {
        List<Path> sources;
        try (Stream<Path> files = Files.walk(ModuleFiles.SOURCES)) {
            sources = files.filter(file -> file.toString().endsWith(".rego"))
                    .sorted()
                    .toList();
        }
        assertThat(sources).isNotEmpty();
        StringBuilder lines = new StringBuilder();
        for (Path source : sources) {
            String name = ModuleFiles.SOURCES.relativize(source).toString().replace('\\', '/');
            lines.append(Digest.of(Files.readAllBytes(source)).hex())
                    .append("  ")
                    .append(name)
                    .append('\n');
        }
        return Digest.of(lines.toString());
    }
}
