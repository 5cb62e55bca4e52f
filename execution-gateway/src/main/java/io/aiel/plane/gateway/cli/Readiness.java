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
     * @param progress receives a line whenever what is waited for changes
     * @return false when the thread was interrupted first
     */
    boolean await(Consumer<String> progress) {
        String told = "";
        try (HttpClient http = HttpClient.newHttpClient()) {
            while (true) {
                String missing = missing(http);
                if (missing.isEmpty()) {
                    return true;
                }
                if (!missing.equals(told)) {
                    progress.accept("Not ready yet: " + missing);
                    told = missing;
                }
                Thread.sleep(POLL);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** The checks that are down, with what they say; empty when the server is ready. */
    private String missing(HttpClient http) throws InterruptedException {
        try {
            var response = http.send(request, BodyHandlers.ofString());
            if (response.statusCode() == 200) {
                return "";
            }
            var down = new ArrayList<String>();
            for (JsonNode check : JSON.readTree(response.body()).path("checks")) {
                if (!"UP".equals(check.path("status").asText())) {
                    String data = check.path("data").isEmpty()
                            ? ""
                            : " " + check.path("data").toString();
                    down.add(check.path("name").asText() + data);
                }
            }
            return down.isEmpty() ? "HTTP " + response.statusCode() : String.join("; ", down);
        } catch (IOException e) {
            return "no answer yet";
        }
    }
}
