package io.aiel.plane.registry.input;

import com.networknt.schema.regex.RegularExpression;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import java.util.regex.Pattern;

/**
 * A regular expression out of a tenant's schema, with a limit on the work that one match may make. Java's engine backtracks: a
 * hostile pair of pattern and text would otherwise hold an event loop for ever. Thread-safe.
 */
final class MeteredPattern implements RegularExpression {
    /** Characters looked at in one match; ordinary patterns look at each character a few times. */
    private static final int STEPS_MAX = 1_000_000;

    /** The same for all matches of one check: there can be as many as the input has texts. */
    private static final int STEPS_TOGETHER_MAX = 10_000_000;

    private static final ScopedValue<AtomicInteger> TOGETHER = ScopedValue.newInstance();

    private final Pattern pattern;

    MeteredPattern(String expression) {
        this.pattern = Pattern.compile(expression);
    }

    /** Runs one check: its matches have a limit together. */
    static <T> T together(Supplier<T> check) {
        return ScopedValue.where(TOGETHER, new AtomicInteger(STEPS_TOGETHER_MAX))
                .call(check::get);
    }

    /** Throws {@link TooMuchWork} when a limit is reached. */
    @Override
    public boolean matches(String value) {
        AtomicInteger together = TOGETHER.orElse(new AtomicInteger(STEPS_MAX));
        int steps = Math.min(STEPS_MAX, together.get());
        AtomicInteger left = new AtomicInteger(steps);
        try {
            return pattern.matcher(new MeteredText(value, left)).find();
        } finally {
            // A match that looks at nothing counts too.
            together.addAndGet(Math.max(left.get(), 0) - steps - 1);
        }
    }

    /** A match took too long. */
    static final class TooMuchWork extends RuntimeException {
        private static final long serialVersionUID = 1L;

        TooMuchWork() {
            super("a pattern of the schema takes too much work on this input");
        }
    }

    /** A text that counts how often it is looked at. */
    private record MeteredText(CharSequence text, AtomicInteger stepsLeft) implements CharSequence {
        @Override
        public int length() {
            return text.length();
        }

        @Override
        public char charAt(int index) {
            if (stepsLeft.getAndDecrement() <= 0) {
                throw new TooMuchWork();
            }
            return text.charAt(index);
        }

        @Override
        public CharSequence subSequence(int start, int end) {
            return new MeteredText(text.subSequence(start, end), stepsLeft);
        }

        @Override
        public String toString() {
            return text.toString();
        }
    }
}
