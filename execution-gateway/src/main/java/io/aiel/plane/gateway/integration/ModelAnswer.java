package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.vocabulary.ModelUse;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * What the answer of a language model says about itself: which model it was and what it used. A provider can say what it likes, so what is no
 * plausible number, or no name, is as good as not said. Computation without I/O.
 *
 * @param model its name; empty text when none is said that can be shown
 * @param finishReasons why it stopped, where it says so
 */
record ModelAnswer(String model, ModelUse use, List<String> finishReasons) {
    /** What OpenTelemetry calls what these actions do. */
    private static final Map<String, String> OPERATIONS = Map.of(
            "openai.chat.completions.create", "chat",
            "openai.responses.create", "chat",
            "openai.responses.create_json", "chat",
            "openai.embeddings.create", "embeddings");

    /** More than any model takes at once. What is beyond is a mistake, or meant to spoil sums. */
    private static final long TOKENS_MAX = 1_000_000_000;

    private static final int NAME_CHARACTERS_MAX = 128;
    private static final int CHOICES_MAX = 16;

    ModelAnswer {
        finishReasons = List.copyOf(finishReasons);
    }

    /** The operation that an action has a language model do; empty when it calls none. */
    static Optional<String> operation(String action) {
        return Optional.ofNullable(OPERATIONS.get(action));
    }

    /**
     * Reads an answer, native or in parts put together.
     *
     * @param asked the model that was asked for; empty text when the connection's own was
     */
    static ModelAnswer of(String asked, ObjectNode answer) {
        JsonNode usage = answer.path("usage");
        // Chat and embeddings say prompt and completion, responses input and output.
        long input = tokens(usage, "input_tokens", "prompt_tokens");
        long output = tokens(usage, "output_tokens", "completion_tokens");
        long total =
                isCount(usage.path("total_tokens")) ? usage.path("total_tokens").longValue() : input + output;
        String answered = name(answer.path("model"));
        return new ModelAnswer(
                answered.isEmpty() ? asked : answered, new ModelUse(1, input, output, total), finishReasons(answer));
    }

    private static List<String> finishReasons(ObjectNode answer) {
        return answer.path("choices")
                .valueStream()
                .limit(CHOICES_MAX)
                .map(choice -> name(choice.path("finish_reason")))
                .filter(reason -> !reason.isEmpty())
                .toList();
    }

    private static long tokens(JsonNode usage, String... names) {
        return Stream.of(names)
                .map(usage::path)
                .filter(ModelAnswer::isCount)
                .findFirst()
                .map(JsonNode::longValue)
                .orElse(0L);
    }

    private static boolean isCount(JsonNode node) {
        return node.isIntegralNumber()
                && node.canConvertToLong()
                && node.longValue() >= 0
                && node.longValue() <= TOKENS_MAX;
    }

    /** The text where it is one word of a harmless sort; else empty. */
    static String name(JsonNode node) {
        String text = node.isTextual() ? node.textValue() : "";
        boolean fits = text.length() <= NAME_CHARACTERS_MAX
                && text.chars()
                        .allMatch(c -> (c >= 'a' && c <= 'z')
                                || (c >= 'A' && c <= 'Z')
                                || (c >= '0' && c <= '9')
                                || "._:/@+-".indexOf(c) >= 0);
        return fits ? text : "";
    }
}
