package io.aiel.plane.hydrator;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.vocabulary.Obligations;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Measures what {@code docs/reference/workers.md} says about speed and memory; prints a table. Run by hand, with the tests' class
 * path, on a machine that does nothing else: the load average stands in the last line so that a reader can tell.
 */
final class HydratorFigures {
    private static final int STARTS = 60;
    private static final int CALLS = 2000;
    private static final int COLD = 20;
    private static final String CODE = """
            from aiel_sdk import tool

            @tool("echo")
            def echo(ctx, event: dict) -> dict:
                return event
            """;

    private HydratorFigures() {}

    public static void main(String[] arguments) throws Exception {
        String load = Files.readString(Path.of("/proc/loadavg")).trim();
        try (Plane plane = Plane.start(Plane.settings())) {
            SnapshotFiles snapshot = plane.snapshot(CODE);
            List<Long> starts = new ArrayList<>();
            for (int i = 0; i < STARTS; i++) {
                long began = System.nanoTime();
                Worker worker =
                        plane.hydrator().single(snapshot, Plane.settings().limits());
                Worker.Start start = worker.start().get(30, TimeUnit.SECONDS);
                starts.add(System.nanoTime() - began);
                worker.stop();
                if (!(start instanceof Worker.Start.Loaded)) {
                    throw new IllegalStateException(start.toString());
                }
                if (!Plane.soon(worker::exited)) {
                    throw new IllegalStateException("a stopped worker does not end");
                }
            }
            print("worker, from spawn to ready", starts);

            for (int i = 0; i < 500; i++) {
                call(plane, snapshot);
            }
            List<Long> calls = new ArrayList<>();
            for (int i = 0; i < CALLS; i++) {
                long began = System.nanoTime();
                call(plane, snapshot);
                calls.add(System.nanoTime() - began);
            }
            print("warm call of an empty tool", calls);

            List<Long> idle = idleWorkers();
            if (idle.isEmpty()) {
                throw new IllegalStateException("no idle worker was found");
            }
            System.out.printf(
                    Locale.ROOT,
                    "| private memory of the idle worker | %.1f MiB (with what it shares, in shares: %.1f MiB) |%n",
                    memory(idle.getFirst(), "Private_Clean:", "Private_Dirty:") / 1024.0,
                    memory(idle.getFirst(), "Pss:") / 1024.0);
        }
        print("cold `python -m aiel_runtime.runner`, same tool", cold());
        System.out.println("load average before: " + load + "; after: "
                + Files.readString(Path.of("/proc/loadavg")).trim() + "; processors: "
                + Runtime.getRuntime().availableProcessors());
    }

    private static void call(Plane plane, SnapshotFiles snapshot) throws Exception {
        JsonNode result = Plane.result(Plane.get(plane.run(
                plane.project(),
                snapshot,
                Plane.tool("echo", "{\"a\":1}"),
                Plane.TIMEOUT,
                Obligations.NONE,
                new Plane.Listener())));
        if (result.path("a").asInt() != 1) {
            throw new IllegalStateException(result.toString());
        }
    }

    private static List<Long> cold() throws Exception {
        Python python = Python.find(Optional.empty(), System.getenv());
        Path site = new BundleInstaller(
                        Plane.DATA.toAbsolutePath(),
                        python,
                        Plane.settings().times().installMax(),
                        System.out::println)
                .install("minimal")
                .resolve("site");
        Path snapshot = Files.createTempDirectory("figures-");
        try {
            Files.writeString(snapshot.resolve("entry_point.py"), CODE);
            List<Long> found = new ArrayList<>();
            for (int i = 0; i < COLD; i++) {
                ProcessBuilder builder = new ProcessBuilder(
                        python.executable().toString(),
                        "-B",
                        "-m",
                        "aiel_runtime.runner",
                        "--files-root",
                        snapshot.toString());
                builder.environment().put("PYTHONPATH", site.toString());
                File answer = snapshot.resolve("answer").toFile();
                builder.directory(snapshot.toFile())
                        .redirectOutput(answer)
                        .redirectError(ProcessBuilder.Redirect.INHERIT);
                long began = System.nanoTime();
                Process process = builder.start();
                try (OutputStream in = process.getOutputStream()) {
                    in.write(Plane.tool("echo", "{\"a\":1}").getBytes(StandardCharsets.UTF_8));
                }
                if (!process.waitFor(60, TimeUnit.SECONDS)) {
                    process.destroyForcibly();
                    throw new IllegalStateException("the runner does not end");
                }
                found.add(System.nanoTime() - began);
                if (!Files.readString(answer.toPath()).contains("\"ok\":true")
                        && !Files.readString(answer.toPath()).contains("\"ok\": true")) {
                    throw new IllegalStateException(Files.readString(answer.toPath()));
                }
            }
            return found;
        } finally {
            Trees.delete(snapshot);
        }
    }

    /** Processes that a zygote forked: the leaves of this process's tree that have a grandparent in it. */
    private static List<Long> idleWorkers() throws IOException {
        List<Long> found = new ArrayList<>();
        for (ProcessHandle launcher : ProcessHandle.current().children().toList()) {
            for (ProcessHandle zygote : launcher.children().toList()) {
                zygote.children().map(ProcessHandle::pid).forEach(found::add);
            }
        }
        return found;
    }

    private static long memory(long pid, String... members) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + pid + "/smaps_rollup")).stream()
                .filter(line -> Arrays.stream(members).anyMatch(line::startsWith))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D+", "")))
                .sum();
    }

    private static void print(String what, List<Long> nanos) {
        Collections.sort(nanos);
        System.out.printf(
                Locale.ROOT,
                "| %s | p50 %.2f ms, p99 %.2f ms (%d) |%n",
                what,
                nanos.get(nanos.size() / 2) / 1e6,
                nanos.get(Math.min(nanos.size() - 1, nanos.size() * 99 / 100)) / 1e6,
                nanos.size());
    }
}
