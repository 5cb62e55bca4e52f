package io.aiel.plane.gateway.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "doctor",
        description = "Says whether this machine has what the server needs. Ends with 0 only when nothing is missing.")
final class DoctorCommand implements Callable<Integer> {
    private static final long DISK_BYTES_MIN = 2L << 30;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Option(names = "--port", description = "The port that the server would use (default: ${DEFAULT-VALUE}).")
    private int port = 8080;

    @Option(names = "--data", paramLabel = "DIR", description = "The data folder to look at (default: .plane).")
    private @Nullable Path data;

    private int problems;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        var folder = DataFolder.of(Optional.ofNullable(data));
        disk(folder.root(), out);
        port(folder, out);
        programs(out);
        sandbox(out);
        out.flush();
        return problems == 0 ? 0 : 1;
    }

    private void disk(Path folder, PrintWriter out) {
        Path existing = folder;
        while (existing != null && !Files.isDirectory(existing)) {
            existing = existing.getParent();
        }
        try {
            if (existing == null || !Files.isWritable(existing)) {
                bad(out, "the data folder " + folder + " cannot be written; choose another with --data");
                return;
            }
            long free = Files.getFileStore(existing).getUsableSpace();
            line(
                    out,
                    free >= DISK_BYTES_MIN,
                    (free >> 20) + " MiB free for the data folder " + folder
                            + (free >= DISK_BYTES_MIN ? "" : "; at least 2048 MiB are needed"));
        } catch (IOException e) {
            bad(out, "the disk of " + folder + " cannot be looked at: " + e.getMessage());
        }
    }

    private void port(DataFolder folder, PrintWriter out) {
        Optional<String> running = folder.runningUrl();
        if (running.isPresent()) {
            line(out, true, "a server runs on this data folder at " + running.get());
            return;
        }
        try (var socket = new ServerSocket()) {
            socket.setReuseAddress(true);
            socket.bind(new InetSocketAddress(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), port));
            line(out, true, "port " + port + " is free");
        } catch (IOException e) {
            bad(out, "port " + port + " is in use; choose another with --port");
        }
    }

    /** What the embedded servers are started with; all three are part of util-linux. */
    private void programs(PrintWriter out) {
        for (String program : new String[] {"setsid", "setpriv", "unshare"}) {
            boolean there = java.util.Arrays.stream(
                            System.getenv().getOrDefault("PATH", "").split(":", -1))
                    .anyMatch(folder -> !folder.isEmpty() && Files.isExecutable(Path.of(folder, program)));
            line(out, there, there ? program + " is there" : program + " is not on the PATH (package util-linux)");
        }
    }

    private void sandbox(PrintWriter out) {
        String python = System.getenv("PLANE_PYTHON");
        if (python == null) {
            bad(out, "isolation was not tried: no Python");
            return;
        }
        try {
            JsonNode answer = SandboxProbe.run(python);
            answer.path("tiers").properties().forEach(tier -> {
                boolean available = tier.getValue().path("available").asBoolean();
                out.println((available ? "ok       " : "without  ") + "isolation '" + tier.getKey() + "'"
                        + (available
                                ? walls(tier.getValue().path("isolation"))
                                : ": " + tier.getValue().path("why").asText()));
            });
            JsonNode parts = answer.path("parts");
            if (!parts.path("cgroup_why_not").isMissingNode()) {
                out.println("info     no cgroups, limits hold per process instead: "
                        + parts.path("cgroup_why_not").asText());
            }
            if (answer.path("auto").isNull()) {
                bad(
                        out,
                        "this machine cannot isolate strangers' code; ./plane up --isolation=restricted or none runs"
                                + " without, for code you trust");
            }
        } catch (IOException e) {
            bad(out, "isolation could not be tried: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            bad(out, "isolation could not be tried: interrupted");
        }
    }

    /** What a tier is made of here, as each execution's record has it. */
    private static String walls(JsonNode isolation) {
        List<String> walls = new ArrayList<>();
        List<String> namespaces = new ArrayList<>();
        isolation.path("namespaces").forEach(name -> namespaces.add(name.asText()));
        walls.add(namespaces.isEmpty() ? "no namespaces" : "namespaces " + String.join(" ", namespaces));
        int landlock = isolation.path("landlock_abi").asInt();
        walls.add(landlock == 0 ? "no Landlock" : "Landlock ABI " + landlock);
        walls.add(
                isolation.path("seccomp").isTextual()
                        ? "seccomp " + isolation.path("seccomp").asText() + " ("
                                + shortened(isolation.path("seccomp_digest").asText()) + ")"
                        : "no seccomp");
        walls.add(
                isolation.path("cgroup").isTextual()
                        ? "cgroup " + isolation.path("cgroup").asText()
                        : "no cgroup");
        walls.add(isolation.path("uid_per_worker").asBoolean() ? "a uid per worker" : "one uid");
        return ": " + String.join(", ", walls);
    }

    private static String shortened(String digest) {
        return digest.substring(0, Math.min(digest.length(), "sha256:".length() + 12));
    }

    private void bad(PrintWriter out, String text) {
        line(out, false, text);
    }

    private void line(PrintWriter out, boolean good, String text) {
        if (!good) {
            problems++;
        }
        out.println((good ? "ok       " : "missing  ") + text);
    }
}
