package io.aiel.plane.gateway.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Asks a server whether it is ready until it is, and says what it is waiting for. Blocks. */
final class Readiness {
    private static final Duration POLL = Duration.ofMillis(200);
    private static final ObjectMapper JSON = new ObjectMapper();

    private final HttpRequest request;

    Readiness(String url) {
        this.request = HttpRequest.newBuilder(URI.create(url + "/q/health/ready"))
                .timeout(Duration.ofSeconds(10))
                .build();
    }

    /**
     * Waits until the server is ready.
     *
     * @param progress receives a line for each check whenever what it waits for changes
     * @return false when the thread was interrupted first
     */
    boolean await(Consumer<String> progress) {
        Map<String, String> told = Map.of();
        try (HttpClient http = HttpClient.newHttpClient()) {
            while (true) {
                Map<String, String> missing = missing(http);
                if (missing.isEmpty()) {
                    return true;
                }
                for (String line : changes(told, missing)) {
                    progress.accept("Not ready yet: " + line);
                }
                told = missing;
                Thread.sleep(POLL);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** What is said now and was not said the last time. */
    private static List<String> changes(Map<String, String> told, Map<String, String> missing) {
        return missing.entrySet().stream()
                .filter(check -> !check.getValue().equals(told.get(check.getKey())))
                .map(Map.Entry::getValue)
                .toList();
    }

    /** By name, what each check that is down has to say; empty when the server is ready. */
    private Map<String, String> missing(HttpClient http) throws InterruptedException {
        try {
            var response = http.send(request, BodyHandlers.ofString());
            if (response.statusCode() == 200) {
                return Map.of();
            }
            Map<String, String> objections = objections(response.body());
            return objections.isEmpty() ? Map.of("", "HTTP " + response.statusCode()) : objections;
        } catch (IOException e) {
            return Map.of("", "no answer yet");
        }
    }

    /**
     * What the checks that are down say, in words.
     *
     * @param health the answer of the health endpoint
     * @return by name of the check, a line for people
     * @throws IOException when the answer is no JSON
     */
    static Map<String, String> objections(String health) throws IOException {
        var objections = new LinkedHashMap<String, String>();
        for (JsonNode check : JSON.readTree(health).path("checks")) {
            if (!"UP".equals(check.path("status").asText())) {
                String name = check.path("name").asText();
                String said = said(check.path("data"));
                objections.put(name, said.isEmpty() ? name : said);
            }
        }
        return objections;
    }

    /** A check's own sentence where it has one; otherwise what it counts, without the parts that are well. */
    private static String said(JsonNode data) {
        if (data.has("detail")) {
            return data.path("detail").asText();
        }
        var parts = new ArrayList<String>();
        for (Map.Entry<String, JsonNode> member : data.properties()) {
            String value = member.getValue().asText();
            if (!value.equals("ready") && !value.equals("UP")) {
                parts.add(member.getKey().replace('_', ' ') + ": " + value);
            }
        }
        return String.join(", ", parts);
    }
}
