package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.core.JsonPointer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * What an answer means. Rules are asked in their order, those of the action before those of the system, and both before what HTTP says of
 * a status anyway.
 *
 * @param statuses ranges; empty means any
 * @param at where in the body to look; empty means nowhere
 * @param is what is to be found there; a missing member is none of these
 * @param matches or what a text there is to look like
 */
record AnswerRule(
        List<Statuses> statuses,
        Optional<JsonPointer> at,
        Set<JsonNode> is,
        Optional<Pattern> matches,
        Meaning meaning) {
    AnswerRule {
        statuses = List.copyOf(statuses);
        is = Set.copyOf(is);
    }

    /** From one status to another, both included. */
    record Statuses(int from, int to) {}

    /** What it comes to. */
    sealed interface Meaning {
        /** It is done. */
        record Result(JsonTemplate of) implements Meaning {}

        /**
         * It was refused.
         *
         * @param hint what to do, a sentence without its full stop
         */
        record Refusal(String code, int status, String hint) implements Meaning {}

        /** The system failed: a read can be repeated, and of a write nobody knows. */
        record Failure() implements Meaning {}
    }

    /** Whether it speaks of this answer. */
    boolean appliesTo(int status, JsonNode body) {
        boolean inRange = statuses.isEmpty()
                || statuses.stream().anyMatch(range -> status >= range.from() && status <= range.to());
        return inRange && at.map(pointer -> found(body.at(pointer))).orElse(true);
    }

    private boolean found(JsonNode there) {
        return matches.map(pattern ->
                        there.isTextual() && pattern.matcher(there.textValue()).find())
                .orElseGet(() -> is.contains(there));
    }

    /** A condition on what a request is made of: that a name has a value, or one certain value. */
    record Condition(JsonTemplate name, Optional<JsonNode> equal) {
        boolean holds(ObjectNode scope) {
            Optional<JsonNode> value = name.fill(scope);
            return equal.isEmpty() ? value.isPresent() : value.equals(equal);
        }
    }
}
