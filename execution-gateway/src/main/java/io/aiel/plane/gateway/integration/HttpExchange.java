package io.aiel.plane.gateway.integration;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * How one action is one request: what is sent, and what the answer means. Immutable.
 *
 * @param when whether it is made so; of several the first whose condition holds is
 * @param method empty when the caller names it
 * @param path empty when the caller names it
 * @param fromRoot whether the path begins at the host instead of at the base URL's path
 * @param query by name; an array is the name several times
 * @param result what of the answer is the caller's
 * @param streams whether the answer is a chat completion that comes in pieces
 * @param idempotencyHeader the name of the header that takes the caller's key
 */
record HttpExchange(
        Optional<AnswerRule.Condition> when,
        Optional<String> method,
        Optional<PathText> path,
        boolean fromRoot,
        Map<String, JsonTemplate> query,
        Map<String, JsonTemplate> headers,
        Optional<JsonTemplate> body,
        JsonTemplate result,
        List<AnswerRule> answers,
        Optional<JsonTemplate> idempotencyHeader,
        boolean streams) {
    HttpExchange {
        answers = List.copyOf(answers);
    }
}
