package io.aiel.plane.fuzzing;

import io.aiel.plane.fixtures.Command;
import io.aiel.plane.fixtures.Form;
import io.aiel.plane.fixtures.PackagedPlane;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A class {@code …Fuzz} with {@code fuzzerTestOneInput(byte[])} beside a parser in a module's tests, and its inputs that are kept:
 * seeds, and whatever once broke it, in {@code src-test/fuzz/<class>}. Jazzer runs it in a process of its own, because its
 * agent rewrites classes and its engine ends the process at a finding.
 */
record FuzzTarget(String className, Path module) {
    private static final Pattern EXECUTED = Pattern.compile("stat::number_of_executed_units:\\s*(\\d+)");

    /** The engine looks through all classes of the class path before it begins, and no target needs these. */
    private static final List<String> NOT_PARSERS = List.of(
            "/archunit-",
            "/byte-buddy-",
            "/hibernate-core-",
            "/kafka-clients-",
            "/quarkus-ide-launcher-",
            "/snappy-java-",
            "/zstd-jni-");

    /** What a run left: {@code exit} 0 is none found. */
    record Outcome(int exit, boolean ended, long inputs, String output) {}

    /** All targets of the modules, by name. */
    static List<FuzzTarget> all() {
        List<FuzzTarget> found = new ArrayList<>();
        try (Stream<Path> modules = Files.list(PackagedPlane.repository())) {
            for (Path module : modules.sorted().toList()) {
                Path classes = module.resolve("target/test-classes");
                if (Files.isDirectory(classes)) {
                    collect(classes, module, found);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return found;
    }

    private static void collect(Path classes, Path module, List<FuzzTarget> into) throws IOException {
        try (Stream<Path> files = Files.walk(classes)) {
            files.map(file -> classes.relativize(file).toString())
                    .filter(name -> name.endsWith("Fuzz.class"))
                    .map(name ->
                            name.substring(0, name.length() - ".class".length()).replace(File.separatorChar, '.'))
                    .sorted()
                    .forEach(name -> into.add(new FuzzTarget(name, module)));
        }
    }

    String name() {
        return className.substring(className.lastIndexOf('.') + 1);
    }

    /** The kept inputs. */
    Path corpus() {
        return PackagedPlane.repository().resolve("src-test/fuzz").resolve(name());
    }

    /** Runs the kept inputs, and then new ones for so long or so many; new inputs and findings go below {@code work}. */
    Outcome run(Path work, Duration time, int inputsMax, int seed) {
        try {
            Path grown = work.resolve(name()).resolve("corpus");
            if (Form.current() == Form.SHORT && Files.exists(grown)) {
                // What an earlier build made would count as new.
                Command.deleteRecursively(grown);
            }
            Files.createDirectories(grown);
            Path output = work.resolve(name()).resolve("output.txt");
            Process process = new ProcessBuilder(command(work.resolve(name()), grown, time, inputsMax, seed))
                    .directory(work.toFile())
                    .redirectErrorStream(true)
                    .redirectInput(new File("/dev/null"))
                    .redirectOutput(output.toFile())
                    .start();
            try {
                // A slow machine needs a while to start and to instrument; what hangs is found by -timeout before this.
                boolean ended = process.waitFor(time.toSeconds() + 120, TimeUnit.SECONDS);
                String text = new String(Files.readAllBytes(output), StandardCharsets.UTF_8);
                Matcher executed = EXECUTED.matcher(text);
                long inputs = executed.find() ? Long.parseLong(executed.group(1)) : 0;
                return new Outcome(ended ? process.exitValue() : -1, ended, inputs, text);
            } finally {
                process.destroyForcibly();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while " + name() + " ran", e);
        }
    }

    private List<String> command(Path folder, Path grown, Duration time, int inputsMax, int seed) {
        List<String> classPath = new ArrayList<>();
        classPath.add(module.resolve("target/test-classes").toString());
        for (String product : List.of(
                "capability-registry", "policy-engine", "runtime-hydrator", "audit-pipeline", "execution-gateway")) {
            classPath.add(PackagedPlane.repository()
                    .resolve(product)
                    .resolve("target/classes")
                    .toString());
        }
        // Surefire's own class path is a jar that only names the real one.
        String dependencies = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        Stream.of(dependencies.split(File.pathSeparator, -1))
                .filter(entry -> NOT_PARSERS.stream().noneMatch(entry::contains))
                .forEach(classPath::add);
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                // Half of the time of a short run is the start of the engine.
                "-XX:TieredStopAtLevel=" + Form.current().pick(1, 4),
                // Small, so that a parser that takes memory by what an input announces is found.
                "-Xmx256m",
                "-XX:+UseSerialGC",
                "-XX:+EnableDynamicAgentLoading",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                // Netty probes for it by method handles that the engine's hooks cannot stand.
                "-Dio.netty.noUnsafe=true",
                "-Djava.io.tmpdir=" + folder,
                "-cp",
                String.join(File.pathSeparator, classPath),
                "com.code_intelligence.jazzer.Jazzer"));
        command.addAll(List.of(
                "--target_class=" + className,
                "--instrumentation_includes=io.aiel.plane.**:com.fasterxml.jackson.core.json.**",
                // Schemas bring their own patterns: that is their right, and the work of one is metered.
                "--disabled_hooks=com.code_intelligence.jazzer.sanitizers.RegexInjection",
                "--reproducer_path=" + folder));
        command.addAll(List.of(
                "-max_total_time=" + time.toSeconds(),
                "-runs=" + inputsMax,
                "-seed=" + seed,
                "-max_len=8192",
                // One input may not take longer, seconds; the JVM's own limit of memory is the other bound.
                "-timeout=20",
                "-rss_limit_mb=0",
                "-print_final_stats=1",
                "-artifact_prefix=" + folder + "/",
                grown.toString()));
        if (Files.isDirectory(corpus())) {
            command.add(corpus().toString());
        }
        return command;
    }
}
