package io.aiel.plane.gateway.memory;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.JsonText;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reads the body of a memory call. Each of its readings throws the {@link Refusal} that names everything that is wrong, and what is too large.
 * What is wrong is named by pointer and rule, never shown. For one body, by one thread.
 */
final class MemoryReader {
    private static final Set<String> ROLES = Set.of("human", "ai", "system", "tool");
    private static final int MESSAGES_MAX = 100;
    private static final int CONTENT_MAX = 20_000;
    private static final int TS_MAX = 64;
    private static final int SCOPE_MAX = 256;
    private static final int TTL_LEAST_S = 60;
    private static final int TTL_MOST_S = 31_536_000;
    private static final int NAMES_MAX = 16;
    private static final int NAME_MAX = 256;
    private static final int KEY_MAX = 256;
    private static final int KEYS_MAX = 1_000;
    private static final int TAGS_MAX = 64;
    private static final int SEARCH_USUAL = 20;
    private static final int SEARCH_MOST = 200;
    private static final int TEXT_MAX = 1_000;
    /** Words of a longer item that come later are not found. */
    private static final int WORDS_MAX = 100_000;

    private static final int ERRORS_SHOWN = 20;

    private final ObjectNode source;
    private final MemorySettings.Sizes sizes;
    private final List<Map<String, String>> errors = new ArrayList<>();

    /** Throws the {@link Refusal} when it is no object. */
    MemoryReader(@Nullable JsonNode body, MemorySettings.Sizes sizes) {
        if (!(body instanceof ObjectNode object)) {
            throw new Refusal(ErrorCode.MALFORMED_REQUEST, "Send a JSON object.");
        }
        this.source = object;
        this.sizes = sizes;
    }

    MemoryRequest.Append append() {
        only(source, "", Set.of("scope", "messages", "ttl_seconds"));
        MemoryRequest.Scope scope = scope();
        Optional<Duration> ttl = ttl();
        List<MemoryRequest.Message> messages = new ArrayList<>();
        JsonNode sent = source.path("messages");
        if (!sent.isArray() || sent.isEmpty() || sent.size() > MESSAGES_MAX) {
            wrong("/messages", "must be a list of 1 to " + MESSAGES_MAX + " messages");
        } else {
            for (int i = 0; i < sent.size(); i++) {
                message(sent.get(i), "/messages/" + i).ifPresent(messages::add);
            }
        }
        checked();
        return new MemoryRequest.Append(scope, messages, ttl);
    }

    private Optional<MemoryRequest.Message> message(JsonNode node, String at) {
        if (!(node instanceof ObjectNode message)) {
            wrong(at, "must be an object with role and content");
            return Optional.empty();
        }
        only(message, at, Set.of("role", "content", "ts", "meta"));
        JsonNode role = message.path("role");
        if (!role.isTextual() || !ROLES.contains(role.asText())) {
            wrong(at + "/role", "must be one of human, ai, system, tool");
        }
        String content = text(message, at, "content", 1, CONTENT_MAX);
        Optional<String> ts = optionalText(message, at, "ts", TS_MAX);
        JsonText meta = object(message, at, "meta");
        bounded(at + "/meta", Sizes.of(meta), sizes.metaBytesMax());
        return Optional.of(new MemoryRequest.Message(role.asText(), content, ts, meta));
    }

    MemoryRequest.Patch patch() {
        only(source, "", Set.of("scope", "patch", "ttl_seconds"));
        var patch = new MemoryRequest.Patch(scope(), object(source, "", "patch"), ttl());
        bounded("/patch", Sizes.of(patch.patch()), sizes.stateBytesMax());
        checked();
        return patch;
    }

    MemoryRequest.Checkpoint checkpoint() {
        only(source, "", Set.of("scope", "state", "metadata", "ttl_seconds"));
        var checkpoint = new MemoryRequest.Checkpoint(
                scope(), object(source, "", "state"), object(source, "", "metadata"), ttl());
        bounded(
                "/state and /metadata",
                Sizes.of(checkpoint.state()) + Sizes.of(checkpoint.metadata()),
                sizes.checkpointBytesMax());
        checked();
        return checkpoint;
    }

    MemoryRequest.Put put() {
        only(source, "", Set.of("namespace", "key", "value", "tags", "embedding", "ttl_seconds"));
        var address = new MemoryRequest.Address(namespace(), text(source, "", "key", 1, KEY_MAX));
        JsonText value = object(source, "", "value");
        JsonText tags = tags(source, "");
        // What is in the value is the caller's own: there, what is no vector is something else that has this name.
        Optional<Embedding> embedding = absent(source.path("embedding"))
                ? Embedding.of(source.path("value").path("embedding"))
                : embedding(source.path("embedding"), "/embedding");
        Optional<Duration> ttl = ttl();
        bounded("/value and /tags", Sizes.of(value) + Sizes.of(tags), sizes.itemBytesMax());
        checked();
        StringBuilder words = new StringBuilder(address.key());
        words(source.path("value"), words);
        return new MemoryRequest.Put(address, value, tags, words.toString(), embedding, ttl);
    }

    MemoryRequest.Address address() {
        only(source, "", Set.of("namespace", "key"));
        var address = new MemoryRequest.Address(namespace(), text(source, "", "key", 1, KEY_MAX));
        checked();
        return address;
    }

    MemoryRequest.Search search() {
        only(source, "", Set.of("namespace", "query", "limit"));
        Namespace namespace = namespace(0);
        int limit = SEARCH_USUAL;
        JsonNode asked = source.path("limit");
        if (!absent(asked)) {
            limit = whole(asked, "/limit", 1, SEARCH_MOST);
        }
        ObjectNode query = JsonNodeFactory.instance.objectNode();
        JsonNode sent = source.path("query");
        if (sent instanceof ObjectNode object) {
            query = object;
        } else if (!absent(sent)) {
            wrong("/query", "must be an object");
        }
        only(query, "/query", Set.of("text", "tags", "key_prefix", "vector"));
        Optional<String> text = optionalText(query, "/query", "text", TEXT_MAX).filter(one -> !one.isBlank());
        Optional<String> prefix = optionalText(query, "/query", "key_prefix", KEY_MAX);
        Optional<JsonText> tags = absent(query.path("tags")) ? Optional.empty() : Optional.of(tags(query, "/query"));
        Optional<Embedding> vector =
                absent(query.path("vector")) ? Optional.empty() : embedding(query.path("vector"), "/query/vector");
        checked();
        return new MemoryRequest.Search(namespace, text, tags, prefix, vector, limit);
    }

    MemoryRequest.Forget forget() {
        only(source, "", Set.of("namespace", "selector"));
        Namespace namespace = namespace();
        List<String> keys = new ArrayList<>();
        Optional<JsonText> tags = Optional.empty();
        if (source.path("selector") instanceof ObjectNode selector) {
            only(selector, "/selector", Set.of("key", "keys", "tags"));
            if (selector.size() != 1) {
                wrong("/selector", "must have exactly one of keys, key and tags");
            } else if (selector.has("key")) {
                // The SDK's recall_forget_key sends this.
                keys.add(text(selector, "/selector", "key", 1, KEY_MAX));
            } else if (selector.has("keys")) {
                keys(selector.path("keys"), keys);
            } else {
                if (selector.path("tags").isEmpty()) {
                    wrong("/selector/tags", "must be an object with a member: without one it would be everything");
                }
                tags = Optional.of(tags(selector, "/selector"));
            }
        } else {
            wrong("/selector", "must be an object with keys or tags");
        }
        checked();
        return new MemoryRequest.Forget(namespace, keys, tags);
    }

    private void keys(JsonNode sent, List<String> keys) {
        if (!sent.isArray() || sent.isEmpty() || sent.size() > KEYS_MAX) {
            wrong("/selector/keys", "must be a list of 1 to " + KEYS_MAX + " keys");
            return;
        }
        for (int i = 0; i < sent.size(); i++) {
            if (isText(sent.get(i), 1, KEY_MAX)) {
                keys.add(sent.get(i).asText());
            } else {
                wrong("/selector/keys/" + i, "must be a text of 1 to " + KEY_MAX + " characters");
            }
        }
    }

    private MemoryRequest.Scope scope() {
        JsonNode sent = source.path("scope");
        if (sent instanceof ObjectNode scope) {
            only(scope, "/scope", Set.of("user_id", "agent_id"));
            return new MemoryRequest.Scope(
                    optionalText(scope, "/scope", "user_id", SCOPE_MAX),
                    optionalText(scope, "/scope", "agent_id", SCOPE_MAX));
        }
        if (!absent(sent)) {
            wrong("/scope", "must be an object with user_id or agent_id");
        }
        return new MemoryRequest.Scope(Optional.empty(), Optional.empty());
    }

    private Optional<Duration> ttl() {
        JsonNode sent = source.path("ttl_seconds");
        return absent(sent)
                ? Optional.empty()
                : Optional.of(Duration.ofSeconds(whole(sent, "/ttl_seconds", TTL_LEAST_S, TTL_MOST_S)));
    }

    private Namespace namespace() {
        return namespace(1);
    }

    private Namespace namespace(int least) {
        JsonNode sent = source.path("namespace");
        List<String> names = new ArrayList<>();
        if (!sent.isArray() || sent.size() < least || sent.size() > NAMES_MAX) {
            wrong("/namespace", "must be a list of " + least + " to " + NAMES_MAX + " texts");
            return new Namespace(names);
        }
        for (int i = 0; i < sent.size(); i++) {
            if (isText(sent.get(i), 0, NAME_MAX)) {
                names.add(sent.get(i).asText());
            } else {
                wrong("/namespace/" + i, "must be a text of at most " + NAME_MAX + " characters");
            }
        }
        return new Namespace(names);
    }

    private Optional<Embedding> embedding(JsonNode sent, String pointer) {
        if (!sent.isArray() || sent.isEmpty() || sent.size() > Embedding.DIMENSIONS_MAX) {
            wrong(pointer, "must be a list of 1 to " + Embedding.DIMENSIONS_MAX + " numbers");
            return Optional.empty();
        }
        Optional<Embedding> embedding = Embedding.of(sent);
        if (embedding.isEmpty()) {
            wrong(pointer, "must have numbers alone, each within what a double can hold, and one that is not 0");
        }
        return embedding;
    }

    private JsonText tags(ObjectNode of, String at) {
        if (of.path("tags").size() > TAGS_MAX) {
            wrong(at + "/tags", "must have at most " + TAGS_MAX + " members");
        }
        return object(of, at, "tags");
    }

    private JsonText object(ObjectNode of, String at, String member) {
        JsonNode sent = of.path(member);
        if (absent(sent)) {
            return new JsonText("{}");
        }
        if (!sent.isObject()) {
            wrong(at + "/" + member, "must be an object");
            return new JsonText("{}");
        }
        return new JsonText(sent.toString());
    }

    private String text(ObjectNode of, String at, String member, int least, int most) {
        JsonNode sent = of.path(member);
        if (isText(sent, least, most)) {
            return sent.asText();
        }
        wrong(at + "/" + member, "must be a text of " + least + " to " + most + " characters");
        return "";
    }

    private Optional<String> optionalText(ObjectNode of, String at, String member, int most) {
        JsonNode sent = of.path(member);
        if (absent(sent)) {
            return Optional.empty();
        }
        if (!isText(sent, 0, most)) {
            wrong(at + "/" + member, "must be a text of at most " + most + " characters");
        }
        return Optional.of(sent.asText());
    }

    /** As Python counts: characters, not halves of them. */
    private static boolean isText(JsonNode node, int least, int most) {
        if (!node.isTextual()) {
            return false;
        }
        String text = node.asText();
        int characters = text.codePointCount(0, text.length());
        return characters >= least && characters <= most;
    }

    private int whole(JsonNode sent, String pointer, int least, int most) {
        if (sent.isIntegralNumber() && sent.canConvertToInt() && sent.asInt() >= least && sent.asInt() <= most) {
            return sent.asInt();
        }
        wrong(pointer, "must be a whole number from " + least + " to " + most);
        return least;
    }

    private static boolean absent(JsonNode node) {
        return node.isMissingNode() || node.isNull();
    }

    private void only(ObjectNode of, String at, Set<String> members) {
        of.properties().forEach(member -> {
            if (!members.contains(member.getKey())) {
                wrong(at + "/" + KeptJson.escaped(member.getKey()), "is not a known member");
            }
        });
    }

    private static void words(JsonNode node, StringBuilder words) {
        if (words.length() >= WORDS_MAX) {
            return;
        }
        if (node.isTextual()) {
            String text = node.asText();
            words.append('\n').append(text, 0, text.offsetByCodePoints(0, room(text, words)));
        } else {
            node.forEach(inner -> words(inner, words));
        }
    }

    private static int room(String text, StringBuilder words) {
        return Math.min(text.codePointCount(0, text.length()), WORDS_MAX - words.length());
    }

    private static void bounded(String what, long bytes, long most) {
        if (bytes > most) {
            throw new Refusal(
                    ErrorCode.PAYLOAD_TOO_LARGE,
                    what + " has " + bytes + " bytes; at most " + most + " can be kept.",
                    Map.of("bytes", bytes, "bytes_max", most));
        }
    }

    private void checked() {
        KeptJson.wrong(source, "").ifPresent(wrong -> wrong(wrong.pointer(), wrong.message()));
        if (!errors.isEmpty()) {
            Map<String, String> first = errors.getFirst();
            throw new Refusal(
                    ErrorCode.VALIDATION_ERROR,
                    first.get("pointer") + ": " + first.get("message"),
                    Map.of("errors", List.copyOf(errors)));
        }
    }

    private void wrong(String pointer, String message) {
        if (errors.size() < ERRORS_SHOWN) {
            Map<String, String> error = new LinkedHashMap<>();
            error.put("pointer", pointer);
            error.put("message", message);
            errors.add(error);
        }
    }
}
