package io.aiel.plane.hydrator;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.vocabulary.JsonText;

/** What a zygote says of its walls, read and adapted to one worker. */
final class IsolationFacts {
    private static final JsonMapper JSON = new JsonMapper();

    /** Of the filters of all profiles but the default. */
    private static final String DIGESTS = "seccomp_digests";

    private IsolationFacts() {}

    /** The same facts for a worker of this profile. */
    static JsonText of(JsonText zygote, Profile profile) {
        if (!(read(zygote) instanceof ObjectNode facts)) {
            return zygote;
        }
        JsonNode digests = facts.path(DIGESTS);
        facts.remove(DIGESTS);
        if (profile != Profile.DEFAULT) {
            facts.put("seccomp", profile.wireName());
            facts.set("seccomp_digest", digests.path(profile.wireName()));
        }
        if (profile.network()) {
            facts.put("network", "egress proxy");
        }
        return new JsonText(facts.toString());
    }

    /** Whether the zygote can hold workers of this profile; every one can the default. */
    static boolean offers(JsonText zygote, Profile profile) {
        if (profile == Profile.DEFAULT) {
            return true;
        }
        for (JsonNode name : read(zygote).path("profiles")) {
            if (name.asText().equals(profile.wireName())) {
                return true;
            }
        }
        return false;
    }

    private static JsonNode read(JsonText zygote) {
        try {
            return JSON.readTree(zygote.value());
        } catch (JsonProcessingException e) {
            return JSON.missingNode();
        }
    }
}
