package io.aiel.plane.gateway.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.embedded.PrivateFiles;
import java.io.IOException;
import java.io.PrintWriter;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

@Command(
        name = "demo",
        description =
                "Pushes the sample with the published aiel command, runs it, and shows the audit trail of the run.")
final class DemoCommand implements Callable<Integer> {
    private static final Duration CLI_LIMIT = Duration.ofMinutes(2);
    private static final Duration AUDIT_LIMIT = Duration.ofSeconds(30);
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Runs the client out of the worker bundle, which holds it, locked by hash, because the runtime depends on it. */
    private static final String RUN_CLI = "import sys; sys.path.insert(0, sys.argv.pop(1)); sys.argv[0] = 'aiel';"
            + " from aiel_cli.cli import app; app()";

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Mixin
    private ServerChoice server = new ServerChoice();

    @Override
    public Integer call() throws Exception {
        PrintWriter out = spec.commandLine().getOut();
        PlaneClient client = server.client();
        Path packages = clientPackages();
        Path work = Files.createTempDirectory("plane-demo");
        try {
            ObjectNode profile = CredentialsFile.profile(
                    client.baseUrl(), client.token(), client.me(), Optional.of("demo"), Optional.of("hello"));
            Path home = Files.createDirectory(work.resolve("home"));
            new CredentialsFile(home).put("default", profile);
            Path project = Files.createDirectory(work.resolve("hello"));
            push(packages, home, project, out);
            return invokeAndShow(client, profile, out);
        } finally {
            PrivateFiles.deleteTree(work);
        }
    }

    private void push(Path packages, Path home, Path project, PrintWriter out) throws IOException {
        for (List<String> command : List.of(List.of("init"), List.of("pull"))) {
            aiel(packages, home, project, command, out);
        }
        copySample(project);
        aiel(packages, home, project, List.of("add", "."), out);
        if (nothingStaged(project)) {
            step(out, "The project holds this sample already: nothing to push");
            return;
        }
        aiel(packages, home, project, List.of("commit", "-m", "The hello sample"), out);
        aiel(packages, home, project, List.of("push"), out);
    }

    private static boolean nothingStaged(Path project) throws IOException {
        return JSON.readTree(Files.readString(project.resolve(".aiel").resolve("index.json")))
                .path("staged")
                .isEmpty();
    }

    private int invokeAndShow(PlaneClient client, ObjectNode profile, PrintWriter out) throws InterruptedException {
        String base = "/v1/workspaces/" + profile.at("/workspace/id").asText() + "/projects/"
                + profile.at("/project/id").asText();
        ObjectNode request = JSON.createObjectNode();
        request.put("schema_version", "v1").put("action", "invoke");
        request.put("kind", "tool").put("handler", "add");
        request.putObject("event").put("a", 19).put("b", 23);
        step(out, "POST " + base + "/executions  " + request);
        var answer = client.post(base + "/executions", request);
        out.println(answer.body().toPrettyString());
        out.flush();
        answer.expectSuccess("The execution did not succeed");
        String execution = answer.body().at("/meta/execution_id").asText();
        String path =
                "/v1/audit/events?execution=" + URLEncoder.encode(execution, StandardCharsets.UTF_8) + "&order=oldest";
        step(out, "GET " + path);
        JsonNode events = awaitAudit(client, path);
        for (JsonNode entry : events) {
            JsonNode event = entry.path("event");
            out.printf(
                    "  %-27s %-38s %s%n",
                    event.path("time").asText(), event.path("type").asText(), event.path("data"));
        }
        out.println("The run is on record: " + events.size() + " events.");
        out.flush();
        return 0;
    }

    /** The events travel through Kafka to the audit log, so they are there a moment after the answer. */
    private static JsonNode awaitAudit(PlaneClient client, String path) throws InterruptedException {
        long deadline = System.nanoTime() + AUDIT_LIMIT.toNanos();
        while (true) {
            JsonNode body = client.get(path).expectSuccess("The audit log did not answer");
            JsonNode events = body.has("events") ? body.path("events") : body.path("items");
            boolean finished = false;
            for (JsonNode event : events) {
                finished |= event.toString().contains("finished")
                        || event.toString().contains("completed");
            }
            if (finished) {
                return events;
            }
            if (System.nanoTime() - deadline > 0) {
                throw new CommandFailed("The run did not show up whole in the audit log within "
                        + AUDIT_LIMIT.toSeconds() + " s; it holds " + events.size() + " of its events.");
            }
            TimeUnit.MILLISECONDS.sleep(100);
        }
    }

    private Path clientPackages() throws IOException {
        Path bundles = server.folder().root().resolve("bundles");
        if (Files.isDirectory(bundles)) {
            try (Stream<Path> found = Files.list(bundles)) {
                Optional<Path> site = found.filter(
                                bundle -> bundle.getFileName().toString().matches("minimal-[0-9a-f]{16}"))
                        .map(bundle -> bundle.resolve("site"))
                        .filter(packages -> Files.isDirectory(packages.resolve("aiel_cli")))
                        .max(Comparator.comparingLong(
                                packages -> packages.toFile().lastModified()));
                if (site.isPresent()) {
                    return site.get();
                }
            }
        }
        throw new CommandFailed("The aiel command is not installed below " + bundles
                + ". Start the server once with ./plane up, which installs it, and name the same --data.");
    }

    private static void copySample(Path into) throws IOException {
        Path sample =
                Path.of(System.getProperty("plane.home", "")).resolve("samples").resolve("hello");
        if (!Files.isDirectory(sample)) {
            throw new CommandFailed("The sample is missing: " + sample);
        }
        try (Stream<Path> files = Files.walk(sample)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path target = into.resolve(sample.relativize(file));
                Files.createDirectories(target.getParent());
                Files.copy(file, target, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
            }
        }
    }

    private void aiel(Path packages, Path home, Path project, List<String> arguments, PrintWriter out)
            throws IOException {
        step(out, "aiel " + String.join(" ", arguments));
        String python = System.getenv("PLANE_PYTHON");
        var command = new ArrayList<String>(
                List.of(python == null ? "python3" : python, "-I", "-B", "-c", RUN_CLI, packages.toString()));
        command.addAll(arguments);
        var builder = new ProcessBuilder(command)
                .directory(project.toFile())
                .redirectErrorStream(true)
                .redirectInput(new java.io.File("/dev/null"))
                .redirectOutput(project.resolveSibling("aiel.out").toFile());
        builder.environment().keySet().removeIf(name -> name.startsWith("AIEL_") || name.startsWith("PYTHON"));
        // A home of its own: the profiles of the person at the terminal are neither read nor changed.
        builder.environment().put("HOME", home.toString());
        builder.environment().put("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring");
        builder.environment().put("NO_COLOR", "1");
        Process process = builder.start();
        try {
            boolean ended = process.waitFor(CLI_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
            String said = Files.readString(project.resolveSibling("aiel.out"));
            said.lines().filter(line -> !line.isBlank()).forEach(line -> out.println("    " + line));
            out.flush();
            if (!ended || process.exitValue() != 0) {
                throw new CommandFailed("aiel " + String.join(" ", arguments)
                        + (ended ? " failed with code " + process.exitValue() : " did not end in time") + ".");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandFailed("Interrupted", e);
        } finally {
            process.destroyForcibly();
        }
    }

    private static void step(PrintWriter out, String line) {
        out.println("$ " + line);
        out.flush();
    }
}
