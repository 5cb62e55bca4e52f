package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** The page says what the descriptions say, both ways. */
class ProvidersPageTest {
    static final List<String> PROVIDERS = List.of("slack", "jira", "openai", "firebase", "http", "redis", "mongodb");

    @ParameterizedTest
    @FieldSource("PROVIDERS")
    void listsSettingsCredentialsAndActions(String provider) throws IOException {
        JsonNode description = HttpConnectors.description(provider);
        String page = Files.readString(Path.of("../docs/providers.md"));
        String section = page.split("\n## `" + provider + "`", 2)[1].split("\n## ", 2)[0];

        List<String> rows =
                section.lines().filter(line -> line.startsWith("| `")).toList();

        List<String> wanted = new ArrayList<>();
        members(description, "settings").forEach(name -> wanted.add(setting(description.path("settings"), name)));
        members(description, "credentials")
                .forEach(name -> wanted.add("| `" + name + "` | secret | "
                        + property(description.path("credentials"), name)
                                .path("description")
                                .asText() + " |"));
        description.path("actions").properties().forEach(action -> wanted.add(row(action.getKey(), action.getValue())));
        assertThat(rows).containsExactlyElementsOf(wanted);
    }

    private static List<String> members(JsonNode description, String schema) {
        List<String> names = new ArrayList<>();
        description.path(schema).path("properties").fieldNames().forEachRemaining(names::add);
        return names;
    }

    private static JsonNode property(JsonNode schema, String name) {
        return schema.path("properties").path(name);
    }

    private static boolean required(JsonNode schema, String name) {
        return StreamSupport.stream(schema.path("required").spliterator(), false)
                .anyMatch(each -> each.asText().equals(name));
    }

    private static String setting(JsonNode schema, String name) {
        JsonNode preset = property(schema, name).path("default");
        String first = required(schema, name)
                ? "required"
                : preset.isMissingNode() ? "" : "`" + (preset.isTextual() ? preset.asText() : preset.toString()) + "`";
        return "| `" + name + "` | " + first + " | "
                + property(schema, name).path("description").asText() + " |";
    }

    private static String row(String name, JsonNode action) {
        JsonNode params = action.path("params");
        String names = params.path("properties").properties().stream()
                .map(member -> "`" + member.getKey() + (required(params, member.getKey()) ? "" : "?") + "`")
                .collect(Collectors.joining(", "));
        return "| `" + name + "` | " + action.path("effect").asText() + ", `"
                + action.path("capability").asText() + "` | " + names + " |";
    }
}
