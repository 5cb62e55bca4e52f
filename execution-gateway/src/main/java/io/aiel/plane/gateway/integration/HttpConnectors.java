package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The systems that are spoken to over HTTP, out of the descriptions beside the code. */
final class HttpConnectors {
    /** Each has a description {@code integrations/<name>.json}. */
    static final List<String> PROVIDERS = List.of("slack", "jira", "openai", "firebase", "http");

    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private HttpConnectors() {}

    /** All of them, by provider; throws {@link ConnectorInvalid} with everything that is wrong with any. */
    static Map<String, HttpConnector> load() {
        Map<String, HttpConnector> connectors = new LinkedHashMap<>();
        List<String> wrong = new ArrayList<>();
        for (String provider : PROVIDERS) {
            try {
                connectors.put(provider, ConnectorReader.read(description(provider)));
            } catch (ConnectorInvalid e) {
                wrong.add(e.getMessage());
            }
        }
        if (!wrong.isEmpty()) {
            throw new ConnectorInvalid("systems", wrong);
        }
        return Map.copyOf(connectors);
    }

    /** The description as it is. */
    static JsonNode description(String provider) {
        String name = "/integrations/" + provider + ".json";
        try (InputStream in = HttpConnectors.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IllegalStateException("there is no " + name);
            }
            return JSON.readTree(in);
        } catch (IOException e) {
            throw new UncheckedIOException(name, e);
        }
    }
}
