package io.aiel.plane.callers;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.PlaneClient;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the running plane says it can be asked. */
final class Operations {
    private static final Pattern PARAMETER = Pattern.compile("\\{(\\w+)\\}");

    private Operations() {}

    /**
     * One operation.
     *
     * @param path the template, such as {@code /v1/workspaces/{workspace}}
     * @param tokenless whether its URL stands in for a token
     */
    record Operation(String id, String method, String path, boolean tokenless) {
        /** The names of the path's parameters. */
        List<String> parameters() {
            return PARAMETER
                    .matcher(path)
                    .results()
                    .map(found -> found.group(1))
                    .toList();
        }

        /** The path with these values; each must be there, and is put in as it is. */
        String with(Map<String, String> values) {
            Matcher parameter = PARAMETER.matcher(path);
            return parameter.replaceAll(found -> {
                String value = values.get(found.group(1));
                if (value == null) {
                    throw new AssertionError(
                            "no value for {" + found.group(1) + "} of " + path + ": name one in the test");
                }
                return Matcher.quoteReplacement(value);
            });
        }

        @Override
        public String toString() {
            return method + " " + path;
        }
    }

    /** All operations of the OpenAPI document that the plane serves. */
    static List<Operation> of(PlaneClient operator) {
        JsonNode document = operator.get("/q/openapi?format=json").expect(200);
        List<Operation> operations = new ArrayList<>();
        document.path("paths")
                .properties()
                .forEach(path -> path.getValue().properties().forEach(entry -> {
                    JsonNode said = entry.getValue();
                    operations.add(new Operation(
                            said.path("operationId").asText(),
                            entry.getKey().toUpperCase(Locale.ROOT),
                            path.getKey(),
                            said.has("security") && said.path("security").isEmpty()));
                }));
        return operations;
    }
}
