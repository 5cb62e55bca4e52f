package io.aiel.plane.gateway.identity;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.vocabulary.NetworkHost;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.Tuple;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What a project's settings mean to the plane; members that it does not know are kept and mean nothing. Remembered for two seconds, so
 * a change counts after that on every server. Thread-safe; call from an event loop.
 */
@Singleton
public final class ProjectSettings {
    private static final int CHARACTERS_MAX = 16 * 1024;
    private static final int ORIGINS_MAX = 20;
    private static final int HOSTS_MAX = 20;
    private static final Pattern RUNTIME = Pattern.compile("[a-z][a-z0-9-]{0,30}");
    private static final Duration REMEMBERED = Duration.ofSeconds(2);
    private static final int REMEMBERED_MAX = 10_000;

    /** RFC 6454, section 6.2, as browsers send it. */
    private static final Pattern ORIGIN = Pattern.compile(
            "https?://(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\\[[0-9a-f:.]{2,45}\\])(?::[0-9]{1,5})?");

    private static final ObjectMapper JSON = new ObjectMapper();

    private final Pool database;
    private final Duration lookupTimeout;
    private final BriefCache<ProjectId, Known> known = new BriefCache<>(REMEMBERED, REMEMBERED_MAX, System::nanoTime);

    ProjectSettings(Pool database, IdentityConfig config) {
        this.database = database;
        this.lookupTimeout = config.lookupTimeout();
    }

    /** A workspace or project, as people know it. */
    record Named(String id, String slug, String name) {}

    /** Where code runs. */
    record Surroundings(Named workspace, Named project) {}

    private record Known(Surroundings where, Settings settings) {}

    private record Settings(
            boolean strictOutput,
            boolean workerApi,
            String runtime,
            Set<String> origins,
            Optional<Set<String>> callbackHosts) {}

    /** Whether a result that does not fit its capability's output schema is withheld. */
    public Uni<Boolean> strictOutput(ProjectScope scope) {
        return find(scope.project())
                .map(found ->
                        found.map(known -> known.settings().strictOutput()).orElse(true));
    }

    /** Where the code of the project's executions runs; empty unless it may ask the plane's own API. */
    Uni<Optional<Surroundings>> surroundingsOfCode(ProjectScope scope) {
        return find(scope.project())
                .map(found ->
                        found.filter(known -> known.settings().workerApi()).map(Known::where));
    }

    /**
     * The worker bundle that the project's snapshots are validated with from now on. Asks the database each time: a push right after
     * a change is judged by the change.
     */
    public Uni<String> runtimeNow(ProjectScope scope) {
        return lookUp(scope.project())
                .map(found -> found.map(known -> known.settings().runtime()).orElse(Runtimes.DEFAULT));
    }

    /** The origins whose pages may call the project's HTTP handlers; empty for a project that is not there, too. */
    Uni<Set<String>> origins(WorkspaceId workspace, ProjectId project) {
        return find(project)
                .map(found -> found.filter(
                                known -> known.where().workspace().id().equals(workspace.value()))
                        .map(known -> known.settings().origins())
                        .orElse(Set.of()));
    }

    /** The only host names that the project allows callbacks to; empty when it says nothing. */
    public Uni<Optional<Set<String>>> callbackHosts(ProjectScope scope) {
        return find(scope.project())
                .map(found -> found.flatMap(known -> known.settings().callbackHosts()));
    }

    private Uni<Optional<Known>> find(ProjectId project) {
        return known.get(project, this::lookUp);
    }

    private Uni<Optional<Known>> lookUp(ProjectId project) {
        return database.preparedQuery(
                        "SELECT w.id AS workspace_id, w.slug AS workspace_slug, w.name AS workspace_name, p.id, p.slug, p.name,"
                                + " p.settings FROM projects p JOIN workspaces w ON w.id = p.workspace_id WHERE p.id = $1")
                .execute(Tuple.of(project.value()))
                .map(rows -> {
                    var row = rows.iterator();
                    return row.hasNext() ? Optional.of(row.next()) : Optional.<Row>empty();
                })
                .map(row -> row.map(it -> new Known(where(it), read(it.getString("settings")))))
                .ifNoItem()
                .after(lookupTimeout)
                .fail();
    }

    private static Surroundings where(Row row) {
        return new Surroundings(
                new Named(
                        row.getString("workspace_id"),
                        row.getString("workspace_slug"),
                        row.getString("workspace_name")),
                new Named(row.getString("id"), row.getString("slug"), row.getString("name")));
    }

    private static Settings read(String settings) {
        try {
            JsonNode read = JSON.readTree(settings);
            Set<String> origins = new LinkedHashSet<>();
            read.at("/http/allowed_origins").forEach(origin -> origins.add(origin.asText()));
            Set<String> hosts = new LinkedHashSet<>();
            JsonNode callbackHosts = read.at("/callbacks/hosts");
            callbackHosts.forEach(host -> hosts.add(host.asText()));
            return new Settings(
                    read.path("output_schema").asText().equals("strict"),
                    read.path("worker_api").asBoolean(),
                    runtime(read),
                    Set.copyOf(origins),
                    callbackHosts.isArray() ? Optional.of(Set.copyOf(hosts)) : Optional.empty());
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("the settings of a project are JSON", e);
        }
    }

    /** The settings as they are kept, when nothing in them is wrong. */
    static String text(Fields fields, String pointer, @Nullable JsonNode settings, Runtimes runtimes) {
        if (settings == null || settings.isNull()) {
            return "{}";
        }
        if (!settings.isObject()) {
            fields.wrong(pointer, "must be a JSON object");
            return "{}";
        }
        String text = settings.toString();
        if (text.length() > CHARACTERS_MAX) {
            fields.wrong(pointer, "must not be longer than " + CHARACTERS_MAX + " characters");
        }
        JsonNode output = settings.path("output_schema");
        if (!output.isMissingNode()
                && !output.asText().equals("strict")
                && !output.asText().equals("record")) {
            fields.wrong(pointer + "/output_schema", "must be \"record\" or \"strict\"");
        }
        JsonNode workerApi = settings.path("worker_api");
        if (!workerApi.isMissingNode() && !workerApi.isBoolean()) {
            fields.wrong(pointer + "/worker_api", "must be true or false");
        }
        runtime(fields, pointer + "/runtime", settings.path("runtime"), runtimes);
        origins(fields, pointer + "/http", settings.path("http"));
        callbackHosts(fields, pointer + "/callbacks", settings.path("callbacks"));
        return text;
    }

    /** What goes on record of a change: what the plane reads, and nothing else that may stand there. */
    static Map<String, String> facts(String settings) {
        Settings read = read(settings);
        return Map.of(
                "output_schema",
                read.strictOutput() ? "strict" : "record",
                "worker_api",
                Boolean.toString(read.workerApi()),
                "runtime",
                read.runtime(),
                "allowed_origins",
                String.join(" ", new TreeSet<>(read.origins())),
                "callback_hosts",
                read.callbackHosts()
                        .map(hosts -> String.join(" ", new TreeSet<>(hosts)))
                        .orElse("all"));
    }

    /** The worker bundle that settings name, or the one of a project that names none. */
    static String runtime(String settings) {
        return read(settings).runtime();
    }

    private static String runtime(JsonNode settings) {
        return settings.path("runtime").asText(Runtimes.DEFAULT);
    }

    private static void runtime(Fields fields, String pointer, JsonNode runtime, Runtimes runtimes) {
        if (runtime.isMissingNode()) {
            return;
        }
        if (!runtime.isTextual() || !RUNTIME.matcher(runtime.asText()).matches()) {
            fields.wrong(pointer, "must be the name of a worker bundle, such as \"ai\"");
            return;
        }
        Set<String> names = runtimes.names();
        if (!names.isEmpty() && !names.contains(runtime.asText())) {
            fields.wrong(
                    pointer,
                    "must be a worker bundle of this server, which has " + String.join(", ", new TreeSet<>(names))
                            + "; an operator adds others with ./plane bundle add");
        }
    }

    private static void origins(Fields fields, String pointer, JsonNode http) {
        if (http.isMissingNode()) {
            return;
        }
        JsonNode origins = http.path("allowed_origins");
        if (!http.isObject() || !(origins.isMissingNode() || origins.isArray()) || origins.size() > ORIGINS_MAX) {
            fields.wrong(pointer, "must be an object whose allowed_origins are at most " + ORIGINS_MAX + " texts");
            return;
        }
        for (int i = 0; i < origins.size(); i++) {
            JsonNode origin = origins.get(i);
            if (!origin.isTextual() || !ORIGIN.matcher(origin.asText()).matches()) {
                fields.wrong(
                        pointer + "/allowed_origins/" + i,
                        "must be an origin as browsers send it, such as https://app.example.com");
            }
        }
    }

    private static void callbackHosts(Fields fields, String pointer, JsonNode callbacks) {
        if (callbacks.isMissingNode()) {
            return;
        }
        JsonNode hosts = callbacks.path("hosts");
        if (!callbacks.isObject() || !(hosts.isMissingNode() || hosts.isArray()) || hosts.size() > HOSTS_MAX) {
            fields.wrong(pointer, "must be an object whose hosts are at most " + HOSTS_MAX + " names");
            return;
        }
        for (int i = 0; i < hosts.size(); i++) {
            try {
                new NetworkHost(hosts.get(i).isTextual() ? hosts.get(i).asText() : "", 1);
            } catch (IllegalArgumentException e) {
                fields.wrong(pointer + "/hosts/" + i, "must be a lower-case DNS name, such as hooks.example.com");
            }
        }
    }
}
