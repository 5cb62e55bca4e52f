package io.aiel.plane.assertions;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Map;

/**
 * Brings execution envelopes to the form in which two runs of the same request must be equal: without times, durations and
 * generated ids, and without what only the plane knows ({@code execution_id}, {@code usage}, {@code isolation}).
 *
 * <p>Where the runner itself speaks (an unknown handler, a request that it cannot read, a wrong return type) its texts and
 * details are its own and no contract: code and status are. Where the user's code speaks, its text and the place in its files
 * count too.
 */
public final class Envelopes {
    private Envelopes() {}

    /** Whether the error came out of the user's own files, so that message and place must agree. */
    public static boolean speaksForTheUser(JsonNode envelope) {
        String place = envelope.at("/error/details/location/relpath").asText("");
        return !place.isEmpty() && !place.startsWith("<");
    }

    /**
     * The comparable form.
     *
     * @param userSpeaks as the published runner's envelope says; both sides are reduced alike
     * @param requestIdGiven whether the request named its id, so that it must come back
     */
    public static ObjectNode comparable(JsonNode envelope, boolean userSpeaks, boolean requestIdGiven) {
        ObjectNode out = JsonNodeFactory.instance.objectNode();
        for (String member : new String[] {"schema_version", "ok", "http_status", "result"}) {
            out.set(member, envelope.path(member));
        }
        boolean ok = envelope.path("ok").asBoolean();
        if (!ok) {
            ObjectNode error = out.putObject("error");
            error.set("code", envelope.at("/error/code"));
            if (userSpeaks) {
                error.set("message", envelope.at("/error/message"));
                JsonNode details = envelope.at("/error/details");
                error.set("exception_type", details.path("exception_type"));
                error.set("status_code", details.path("status_code"));
                for (String member : new String[] {"relpath", "line", "function"}) {
                    error.set(member, details.path("location").path(member));
                }
            }
        }
        JsonNode meta = envelope.path("meta");
        if (requestIdGiven && (ok || userSpeaks)) {
            out.set("request_id", meta.path("request_id"));
        }
        if (ok || userSpeaks) {
            out.set("snapshot_id", meta.path("snapshot_id"));
            out.set("sdk_version", meta.path("sdk_version"));
            out.set("runtime_version", meta.path("runtime_version"));
            out.set("logs", usersLogs(meta.path("logs")));
        }
        return out;
    }

    private static ArrayNode usersLogs(JsonNode logs) {
        ArrayNode out = JsonNodeFactory.instance.arrayNode();
        for (JsonNode line : logs) {
            String level = line.path("level").asText();
            if (line.path("event").asText().startsWith("runner.") || level.equals("STDOUT") || level.equals("STDERR")) {
                continue;
            }
            ObjectNode kept = out.addObject();
            for (String member :
                    new String[] {"level", "event", "snapshot_id", "resource_kind", "resource_name", "fields"}) {
                kept.set(member, line.path(member));
            }
        }
        return out;
    }

    /** Whether each member of {@code part} is in {@code whole} with the same value, objects member by member. */
    public static boolean contains(JsonNode whole, JsonNode part) {
        if (!part.isObject()) {
            return whole.equals(part);
        }
        for (Map.Entry<String, JsonNode> member : part.properties()) {
            if (!contains(whole.path(member.getKey()), member.getValue())) {
                return false;
            }
        }
        return true;
    }
}
