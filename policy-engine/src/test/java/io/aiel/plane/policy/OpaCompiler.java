package io.aiel.plane.policy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;

/**
 * The real OPA, built at need by {@code policy-engine/compile-policy}. Where it cannot be had, what needs it is skipped and
 * says so on standard error and in the report; with {@code PLANE_OPA_REQUIRED=1} in the environment it fails instead.
 */
final class OpaCompiler {
    private static final Duration BUILD_LIMIT = Duration.ofMinutes(20);
    private static final Duration RUN_LIMIT = Duration.ofMinutes(2);
    private static final int CANNOT_BE_HAD = 3;

    private final Path opa;

    private OpaCompiler(Path opa) {
        this.opa = opa;
    }

    /** The compiler, or the end of the calling test as skipped. */
    static OpaCompiler orSkip() throws IOException, InterruptedException {
        Result found;
        try {
            found = runScript("--opa-path");
        } catch (IOException e) {
            return skip("policy-engine/compile-policy needs python3: " + e.getMessage());
        }
        if (found.exit == CANNOT_BE_HAD) {
            return skip(found.err.strip());
        }
        if (found.exit != 0) {
            throw new IOException("compile-policy --opa-path ended with " + found.exit + ": " + found.err);
        }
        return new OpaCompiler(Path.of(found.out.strip()));
    }

    /** Runs {@code policy-engine/compile-policy} with these arguments. */
    static Result runScript(String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(
                List.of("python3", ModuleFiles.MODULE.resolve("compile-policy").toString()));
        command.addAll(Arrays.asList(arguments));
        return run(command, BUILD_LIMIT);
    }

    /** Runs OPA with these arguments. */
    Result run(String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(opa.toString()));
        command.addAll(Arrays.asList(arguments));
        return run(command, RUN_LIMIT);
    }

    /** This module as wasm. */
    CompiledPolicy compile(Path scratch, String entryPoint, String rego) throws IOException, InterruptedException {
        Path source = Files.writeString(scratch.resolve("policy.rego"), rego);
        Path bundle = scratch.resolve("bundle.tar.gz");
        Result built = run("build", "-t", "wasm", "-e", entryPoint, "-o", bundle.toString(), source.toString());
        if (built.exit != 0) {
            throw new IOException("opa build: " + built.err + built.out);
        }
        Result unpacked =
                run(List.of("tar", "-xzf", bundle.toString(), "-C", scratch.toString(), "/policy.wasm"), RUN_LIMIT);
        if (unpacked.exit != 0) {
            throw new IOException("tar: " + unpacked.err);
        }
        return new CompiledPolicy(Files.readAllBytes(scratch.resolve("policy.wasm")), entryPoint);
    }

    /** What a program left behind. */
    record Result(int exit, String out, String err) {}

    private static OpaCompiler skip(String why) {
        String message = "SKIPPED, the real OPA compiler cannot be had: " + why;
        System.err.println(message);
        if ("1".equals(System.getenv("PLANE_OPA_REQUIRED"))) {
            throw new AssertionError(message + " (and PLANE_OPA_REQUIRED=1)");
        }
        return Assumptions.abort(message);
    }

    private static Result run(List<String> command, Duration limit) throws IOException, InterruptedException {
        Path out = Files.createTempFile("opa", ".out");
        Path err = Files.createTempFile("opa", ".err");
        try {
            Process process = new ProcessBuilder(command)
                    .directory(ModuleFiles.MODULE.toFile())
                    .redirectOutput(out.toFile())
                    .redirectError(err.toFile())
                    .start();
            if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
                process.destroyForcibly();
                throw new IOException(command.getFirst() + " did not end within " + limit);
            }
            return new Result(
                    process.exitValue(),
                    Files.readString(out, StandardCharsets.UTF_8),
                    Files.readString(err, StandardCharsets.UTF_8));
        } finally {
            Files.deleteIfExists(out);
            Files.deleteIfExists(err);
        }
    }
}
