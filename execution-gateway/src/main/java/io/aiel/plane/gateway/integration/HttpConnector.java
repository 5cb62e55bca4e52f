package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.core.JsonPointer;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Map;

/**
 * A system that is spoken to over HTTP, as its description says. Immutable.
 *
 * @param defaults settings where a connection does not say
 * @param errorText where in an answer it says what is wrong, the first that is there
 * @param healthCheck the action that says whether a connection works
 */
record HttpConnector(
        String provider,
        ObjectNode defaults,
        List<HttpAuth> auth,
        Map<String, JsonTemplate> headers,
        List<JsonPointer> errorText,
        List<AnswerRule> answers,
        Map<String, Action> actions,
        String healthCheck) {
    HttpConnector {
        auth = List.copyOf(auth);
        errorText = List.copyOf(errorText);
        answers = List.copyOf(answers);
        actions = Map.copyOf(actions);
    }

    /**
     * One of its actions.
     *
     * @param write whether it changes something there, so that one without an answer is not known
     * @param defaults parameters where a call does not say
     */
    record Action(String name, boolean write, ObjectNode defaults, List<HttpExchange> exchanges) {
        Action {
            exchanges = List.copyOf(exchanges);
        }

        /** The one for this call; throws {@link IllegalArgumentException} when there is none. */
        HttpExchange exchange(ObjectNode scope) {
            return exchanges.stream()
                    .filter(exchange ->
                            exchange.when().map(when -> when.holds(scope)).orElse(true))
                    .findFirst()
                    .orElseThrow(() -> new IllegalArgumentException("the parameters fit none of the ways of " + name));
        }
    }
}
