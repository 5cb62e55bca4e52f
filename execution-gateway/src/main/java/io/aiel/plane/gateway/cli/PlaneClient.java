package io.aiel.plane.gateway.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;

/** Calls a running server over HTTP, as any client would. Blocks; one call at a time. */
final class PlaneClient {
    private static final Duration CONNECT_LIMIT = Duration.ofSeconds(5);
    private static final Duration CALL_LIMIT = Duration.ofSeconds(60);
    private static final ObjectMapper JSON = new ObjectMapper();

    private final HttpClient http =
            HttpClient.newBuilder().connectTimeout(CONNECT_LIMIT).build();
    private final String baseUrl;
    private final String token;

    PlaneClient(String url, String token) {
        this.baseUrl = url.endsWith("/") ? url.substring(0, url.length() - 1) : url;
        this.token = token;
        if (!baseUrl.startsWith("http://") && !baseUrl.startsWith("https://")) {
            throw new CommandFailed("'" + url + "' is not an address: it must begin with http:// or https://.");
        }
    }

    String baseUrl() {
        return baseUrl;
    }

    String token() {
        return token;
    }

    /** The caller as the server sees it. */
    JsonNode me() {
        return get("/v1/auth/me").expectSuccess("The token was not accepted");
    }

    Answer get(String path) {
        return send(request(path).GET());
    }

    Answer post(String path, JsonNode body) {
        return send("POST", path, body);
    }

    Answer put(String path, JsonNode body) {
        return send("PUT", path, body);
    }

    Answer patch(String path, JsonNode body) {
        return send("PATCH", path, body);
    }

    private Answer send(String method, String path, JsonNode body) {
        return send(request(path)
                .header("Content-Type", "application/json")
                .method(method, BodyPublishers.ofString(body.toString())));
    }

    Answer delete(String path) {
        return send(request(path).DELETE());
    }

    private HttpRequest.Builder request(String path) {
        try {
            return HttpRequest.newBuilder(URI.create(baseUrl + path))
                    .timeout(CALL_LIMIT)
                    .header("Authorization", "Bearer " + token);
        } catch (IllegalArgumentException e) {
            throw new CommandFailed("Not a usable address or token: " + baseUrl + path, e);
        }
    }

    private Answer send(HttpRequest.Builder request) {
        try {
            HttpResponse<String> response = http.send(request.build(), BodyHandlers.ofString());
            return new Answer(response.statusCode(), parse(response.body()));
        } catch (IOException e) {
            throw new CommandFailed(
                    "No answer from " + baseUrl + " (" + e.getClass().getSimpleName() + "). Is the server running?", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandFailed("Interrupted", e);
        }
    }

    private static JsonNode parse(String body) {
        try {
            return body.isBlank() ? MissingNode.getInstance() : JSON.readTree(body);
        } catch (JsonProcessingException e) {
            // A proxy's page, for instance; the status is what tells.
            return MissingNode.getInstance();
        }
    }

    /**
     * What came back.
     *
     * @param status the HTTP status
     * @param body the JSON document, or a missing node
     */
    record Answer(int status, JsonNode body) {
        JsonNode expectSuccess(String otherwise) {
            if (status / 100 != 2) {
                String detail = body.path("detail").asText(body.path("title").asText(""));
                throw new CommandFailed(otherwise + ": HTTP " + status + (detail.isEmpty() ? "" : ", " + detail));
            }
            return body;
        }
    }
}
