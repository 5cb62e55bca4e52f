package io.aiel.plane.gateway.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "connection",
        description = "Makes, shows, changes, checks and deletes connections of projects to outside systems.",
        subcommands = {
            ConnectionCommand.Create.class,
            ConnectionCommand.Show.class,
            ConnectionCommand.Change.class,
            ConnectionCommand.Credentials.class,
            ConnectionCommand.Check.class,
            ConnectionCommand.Delete.class,
            ConnectionCommand.Providers.class
        })
final class ConnectionCommand implements Callable<Integer> {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int INPUT_BYTES_MAX = 64 * 1024;

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getOut());
        return CommandLine.ExitCode.USAGE;
    }

    /** Whose connections are meant. */
    static final class Of {
        @Mixin
        private ServerChoice server = new ServerChoice();

        @Option(names = "--workspace", required = true, description = "The workspace (slug or id).")
        private String workspace = "";

        @Option(names = "--project", required = true, description = "The project (slug or id).")
        private String project = "";

        PlaneClient client() {
            return server.client();
        }

        String path() {
            return projectPath() + "/integrations";
        }

        String projectPath() {
            return "/v1/workspaces/" + segment(workspace) + "/projects/" + segment(project);
        }

        String path(String connection) {
            return path() + "/" + segment(connection);
        }

        private static String segment(String text) {
            if (!text.matches("[A-Za-z0-9_-]+")) {
                throw new CommandFailed("'" + text + "' is neither a slug nor an id.");
            }
            return text;
        }
    }

    /** What can be said of a connection when it is made and later. */
    static final class Members {
        @Option(
                names = "--settings",
                paramLabel = "FILE",
                description = "A JSON file with the settings, - for standard input. No secrets.")
        private @Nullable Path settings;

        @Option(names = "--allow", description = "An action that the connection is for; may be repeated.")
        private @Nullable List<String> allowed;

        @Option(names = "--grant", description = "An action that may be done; may be repeated.")
        private @Nullable List<String> granted;

        @Option(names = "--calls-per-minute", description = "How often it may be used on one server.")
        private @Nullable Integer callsPerMinute;

        @Option(names = "--timeout-ms", description = "How long one call may take.")
        private @Nullable Integer timeoutMs;

        ObjectNode body() {
            ObjectNode body = JSON.createObjectNode();
            if (settings != null) {
                body.set("settings", read(settings));
            }
            if (allowed != null) {
                allowed.forEach(body.putArray("allowed_actions")::add);
            }
            if (granted != null) {
                granted.forEach(body.putArray("granted_actions")::add);
            }
            if (callsPerMinute != null) {
                body.put("calls_per_minute", callsPerMinute);
            }
            if (timeoutMs != null) {
                body.put("timeout_ms", timeoutMs);
            }
            return body;
        }
    }

    /** A JSON object out of a file or standard input; what is wrong is said without repeating what is in it. */
    private static JsonNode read(Path file) {
        try {
            byte[] bytes =
                    file.toString().equals("-") ? System.in.readNBytes(INPUT_BYTES_MAX + 1) : Files.readAllBytes(file);
            if (bytes.length > INPUT_BYTES_MAX) {
                throw new CommandFailed(file + " has more than " + INPUT_BYTES_MAX + " bytes.");
            }
            JsonNode read = JSON.readTree(new String(bytes, StandardCharsets.UTF_8));
            if (read != null && read.isObject()) {
                return read;
            }
        } catch (JsonProcessingException e) {
            // Said below; not with its cause, which repeats the text.
        } catch (IOException e) {
            throw new CommandFailed("Cannot read " + file + " (" + e.getClass().getSimpleName() + ").", e);
        }
        throw new CommandFailed(file + " holds no JSON object.");
    }

    @Command(name = "create", description = "Makes a connection and prints its id, alone on standard output.")
    static final class Create implements Callable<Integer> {
        @Spec
        private CommandSpec spec = CommandSpec.create();

        @Mixin
        private Of of = new Of();

        @Option(names = "--provider", required = true, description = "What is connected, such as postgres.")
        private String provider = "";

        @Option(names = "--name", required = true, description = "For people.")
        private String name = "";

        @Mixin
        private Members members = new Members();

        @Option(
                names = "--credentials",
                paramLabel = "FILE",
                description = "A JSON file with what opens the system, - for standard input.")
        private @Nullable Path credentials;

        @Override
        public Integer call() {
            ObjectNode body = members.body().put("provider", provider).put("display_name", name);
            @Nullable JsonNode secret = credentials == null ? null : read(credentials);
            PlaneClient client = of.client();
            String id = client.post(of.path(), body)
                    .expectSuccess("The connection was not made")
                    .path("connection_id")
                    .asText();
            spec.commandLine().getOut().println(id);
            if (secret != null) {
                client.put(of.path(id) + "/credentials", secret)
                        .expectSuccess("The connection was made, but its credentials were not set");
            }
            return 0;
        }
    }

    @Command(name = "list", description = "Shows the connections of a project, or one of them; never what opens it.")
    static final class Show implements Callable<Integer> {
        @Spec
        private CommandSpec spec = CommandSpec.create();

        @Mixin
        private Of of = new Of();

        @Parameters(paramLabel = "CONNECTION", arity = "0..1", description = "Its id, for all that is known of it.")
        private @Nullable String connection;

        @Override
        public Integer call() {
            if (connection != null) {
                JsonNode one = of.client().get(of.path(connection)).expectSuccess("The connection was not found");
                spec.commandLine().getOut().println(one.toPrettyString());
                return 0;
            }
            JsonNode all = of.client().get(of.path()).expectSuccess("The connections were not found");
            for (JsonNode one : all) {
                spec.commandLine()
                        .getOut()
                        .printf(
                                "%s  %-10s  %-8s  %s%n",
                                one.path("connection_id").asText(),
                                one.path("provider").asText(),
                                one.path("status").asText(),
                                one.path("display_name").asText());
            }
            return 0;
        }
    }

    @Command(name = "change", description = "Changes what is named; lists are replaced as a whole.")
    static final class Change implements Callable<Integer> {
        @Spec
        private CommandSpec spec = CommandSpec.create();

        @Mixin
        private Of of = new Of();

        @Parameters(paramLabel = "CONNECTION", description = "Its id.")
        private String connection = "";

        @Option(names = "--name", description = "For people.")
        private @Nullable String name;

        @ArgGroup
        private @Nullable Status status;

        @Mixin
        private Members members = new Members();

        /** One of both. */
        static final class Status {
            @Option(names = "--enable", description = "It can be used.")
            private boolean enable;

            @Option(names = "--disable", paramLabel = "REASON", description = "It cannot be used, and why.")
            private @Nullable String reason;
        }

        @Override
        public Integer call() {
            ObjectNode body = members.body();
            if (name != null) {
                body.put("display_name", name);
            }
            if (status != null) {
                body.put("status", status.enable ? "enabled" : "disabled");
                body.put("status_reason", status.reason == null ? "" : status.reason);
            }
            of.client().patch(of.path(connection), body).expectSuccess("The connection was not changed");
            spec.commandLine().getOut().println("Changed " + connection);
            return 0;
        }
    }

    @Command(name = "credentials", description = "Sets what opens the system; it replaces what there was.")
    static final class Credentials implements Callable<Integer> {
        @Spec
        private CommandSpec spec = CommandSpec.create();

        @Mixin
        private Of of = new Of();

        @Parameters(index = "0", paramLabel = "CONNECTION", description = "Its id.")
        private String connection = "";

        @Parameters(index = "1", paramLabel = "FILE", description = "A JSON file, - for standard input.")
        private Path file = Path.of("-");

        @Override
        public Integer call() {
            of.client()
                    .put(of.path(connection) + "/credentials", read(file))
                    .expectSuccess("The credentials were not set");
            spec.commandLine().getOut().println("Set the credentials of " + connection);
            return 0;
        }
    }

    @Command(name = "check", description = "Calls the system with an action that changes nothing.")
    static final class Check implements Callable<Integer> {
        @Spec
        private CommandSpec spec = CommandSpec.create();

        @Mixin
        private Of of = new Of();

        @Parameters(paramLabel = "CONNECTION", description = "Its id.")
        private String connection = "";

        @Override
        public Integer call() {
            JsonNode health = of.client()
                    .post(of.path(connection) + "/health-check", JSON.createObjectNode())
                    .expectSuccess("The connection was not checked");
            if (!health.path("ok").asBoolean()) {
                throw new CommandFailed("The connection does not work: "
                        + health.at("/error/code").asText() + ", "
                        + health.at("/error/message").asText());
            }
            spec.commandLine().getOut().println("The connection works");
            return 0;
        }
    }

    @Command(name = "delete", description = "Ends a connection, and its credentials with it.")
    static final class Delete implements Callable<Integer> {
        @Spec
        private CommandSpec spec = CommandSpec.create();

        @Mixin
        private Of of = new Of();

        @Parameters(paramLabel = "CONNECTION", description = "Its id.")
        private String connection = "";

        @Override
        public Integer call() {
            of.client().delete(of.path(connection)).expectSuccess("The connection was not deleted");
            spec.commandLine().getOut().println("Deleted " + connection);
            return 0;
        }
    }

    @Command(name = "providers", description = "Shows what can be connected, with the schemas, as JSON.")
    static final class Providers implements Callable<Integer> {
        @Spec
        private CommandSpec spec = CommandSpec.create();

        @Mixin
        private Of of = new Of();

        @Override
        public Integer call() {
            JsonNode providers = of.client()
                    .get(of.projectPath() + "/integration-providers")
                    .expectSuccess("The providers were not found");
            spec.commandLine().getOut().println(providers.path("items").toPrettyString());
            return 0;
        }
    }
}
