package io.aiel.plane.vocabulary;

/**
 * What calls of language models used, as their providers count it. Numbers only.
 *
 * @param calls answered calls of models, also those whose answer does not say what they used
 * @param totalTokens as the provider says it, where it does; else the sum of the others
 */
public record ModelUse(long calls, long inputTokens, long outputTokens, long totalTokens) {
    /** No model was called. */
    public static final ModelUse NONE = new ModelUse(0, 0, 0, 0);

    public ModelUse {
        if (calls < 0 || inputTokens < 0 || outputTokens < 0 || totalTokens < 0) {
            throw new IllegalArgumentException("what was used is never less than nothing");
        }
    }

    /** Both together; throws {@link ArithmeticException} beyond what a {@code long} counts. */
    public ModelUse plus(ModelUse other) {
        return new ModelUse(
                Math.addExact(calls, other.calls),
                Math.addExact(inputTokens, other.inputTokens),
                Math.addExact(outputTokens, other.outputTokens),
                Math.addExact(totalTokens, other.totalTokens));
    }
}
