package io.aiel.plane.gateway.execution;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.callback.CallbackUrl;
import io.aiel.plane.gateway.callback.CallbackWish;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Reads what a runner request's {@code meta.callback} says. Collects what is wrong with it; computation only. */
final class CallbackReader {
    static final String MEMBER = "callback";
    static final String URL = "/meta/callback/url";

    private static final String POINTER = "/meta/callback";
    private static final Set<String> MEMBERS = Set.of("url", "include_result");

    private CallbackReader() {}

    /** What is asked for; empty when the member is not there, or when something is wrong with it. */
    static Optional<CallbackWish> read(ObjectNode meta, List<InputError> errors) {
        @Nullable JsonNode node = meta.get(MEMBER);
        if (node == null || node.isNull()) {
            return Optional.empty();
        }
        if (!(node instanceof ObjectNode wish)) {
            errors.add(new InputError(POINTER, "must be an object"));
            return Optional.empty();
        }
        for (Map.Entry<String, JsonNode> member : wish.properties()) {
            if (!MEMBERS.contains(member.getKey())) {
                errors.add(new InputError(
                        POINTER + "/" + RunnerRequestReader.escape(member.getKey()), "is not a known member"));
            }
        }
        JsonNode includes = wish.path("include_result");
        if (!includes.isMissingNode() && !includes.isNull() && !includes.isBoolean()) {
            errors.add(new InputError(POINTER + "/include_result", "must be true or false"));
        }
        if (!wish.path("url").isTextual()) {
            errors.add(new InputError(URL, "is missing; say where the end is to be told"));
            return Optional.empty();
        }
        try {
            return Optional.of(
                    new CallbackWish(CallbackUrl.parse(wish.path("url").asText()), includes.asBoolean(false)));
        } catch (IllegalArgumentException e) {
            errors.add(new InputError(URL, String.valueOf(e.getMessage())));
            return Optional.empty();
        }
    }
}
