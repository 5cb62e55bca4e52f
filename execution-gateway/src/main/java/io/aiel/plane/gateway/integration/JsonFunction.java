package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * What descriptions of systems can have done with a value, named {@code $…} in them. Each is a function of what it gets and nothing else;
 * one that cannot take it throws {@link IllegalArgumentException} with a text for the caller.
 */
enum JsonFunction {
    /** Objects laid over each other, the last on top, objects in them likewise. */
    MERGE {
        @Override
        Optional<JsonNode> apply(JsonNode of) {
            ObjectNode merged = JsonNodeFactory.instance.objectNode();
            of.forEach(layer -> lay(layer, merged));
            return Optional.of(merged);
        }
    },
    /** {@code {"of": object, "names": [members to leave out]}}. */
    WITHOUT {
        @Override
        Optional<JsonNode> apply(JsonNode of) {
            ObjectNode rest = of.path("of").deepCopy();
            of.path("names").forEach(name -> rest.remove(name.textValue()));
            return Optional.of(rest);
        }
    },
    /** Plain members as Firestore's typed fields. */
    FIRESTORE_FIELDS {
        @Override
        Optional<JsonNode> apply(JsonNode of) {
            return Optional.of(FirestoreValues.fields(of));
        }
    },
    /** The paths of the fields that plain members set, for a write that leaves all others. */
    FIRESTORE_MASK {
        @Override
        Optional<JsonNode> apply(JsonNode of) {
            return Optional.of(FirestoreValues.mask(of));
        }
    },
    /** The parameters of a query as Firestore's structured one. */
    FIRESTORE_QUERY {
        @Override
        Optional<JsonNode> apply(JsonNode of) {
            return Optional.of(FirestoreQuery.structured(of));
        }
    },
    /** Firestore's document as a plain one. */
    FIRESTORE_DOCUMENT {
        @Override
        Optional<JsonNode> apply(JsonNode of) {
            return Optional.of(FirestoreValues.document(of));
        }
    },
    /** What a query answered as {@code documents} and {@code count}. */
    FIRESTORE_DOCUMENTS {
        @Override
        Optional<JsonNode> apply(JsonNode of) {
            return Optional.of(FirestoreQuery.documents(of));
        }
    };

    /** What it makes of the value. */
    abstract Optional<JsonNode> apply(JsonNode of);

    /** The one of this name, such as {@code $merge}. */
    static Optional<JsonFunction> named(String name) {
        return Stream.of(values())
                .filter(function -> name.equals("$" + function.name().toLowerCase(Locale.ROOT)))
                .findFirst();
    }

    private static void lay(JsonNode layer, ObjectNode on) {
        layer.properties().forEach(member -> {
            JsonNode below = on.path(member.getKey());
            if (below.isObject() && member.getValue().isObject()) {
                ObjectNode both = below.deepCopy();
                lay(member.getValue(), both);
                on.set(member.getKey(), both);
            } else {
                on.set(member.getKey(), member.getValue());
            }
        });
    }
}
