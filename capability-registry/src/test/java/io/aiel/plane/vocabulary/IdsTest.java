package io.aiel.plane.vocabulary;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

class IdsTest {
    /** A clock that is set by hand. */
    private static final class SettableClock extends Clock {
        private final AtomicReference<Instant> now = new AtomicReference<>(Instant.parse("2026-03-01T12:00:00Z"));

        void move(Duration by) {
            now.updateAndGet(time -> time.plus(by));
        }

        @Override
        public Instant instant() {
            return now.get();
        }

        @Override
        public ZoneId getZone() {
            return ZoneOffset.UTC;
        }

        @Override
        public Clock withZone(ZoneId zone) {
            return this;
        }
    }

    /** Meant to fail: with the library's own clock, what is made after the step sorts before what was made earlier. */
    @Test
    void makesGreaterOnesAlsoAfterTheClockWasSetBackAnHour() {
        SettableClock clock = new SettableClock();
        Supplier<UUID> ids = Ids.ordered(clock);
        List<String> made = new ArrayList<>();
        for (Duration step : List.of(
                Duration.ZERO,
                Duration.ofMillis(5),
                Duration.ofHours(-1),
                Duration.ofSeconds(1),
                Duration.ofHours(2))) {
            clock.move(step);
            for (int i = 0; i < 100; i++) {
                made.add(ids.get().toString());
            }
        }

        assertThat(made).doesNotHaveDuplicates().isSorted();
    }

    /** The forms as regular expressions say them, which are slower. */
    @Test
    void acceptsExactlyTheFormsOfIdsAndDigests() {
        Random random = new Random(5);
        int accepted = 0;
        for (int round = 0; round < 20_000; round++) {
            String text = random.nextBoolean() ? almost(random, "exec_", 32) : almost(random, "sha256:", 64);
            assertThat(isAccepted(() -> Ids.check("exec", text))).as(text).isEqualTo(text.matches("exec_[0-9a-f]{32}"));
            assertThat(isAccepted(() -> new Digest(text))).as(text).isEqualTo(text.matches("sha256:[0-9a-f]{64}"));
            accepted += text.matches("(exec_[0-9a-f]{32})|(sha256:[0-9a-f]{64})") ? 1 : 0;
        }
        assertThat(accepted).isBetween(2_000, 18_000);
    }

    @Test
    void writesIdsAsLowerCaseHexOfTheirUuid() {
        for (int i = 0; i < 1000; i++) {
            assertThat(Ids.create("exec")).matches("exec_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}");
        }
    }

    private static String almost(Random random, String prefix, int digits) {
        StringBuilder text = new StringBuilder(prefix);
        for (int i = digits + (random.nextInt(4) == 0 ? random.nextInt(3) - 1 : 0); i > 0; i--) {
            text.append("0123456789abcdef".charAt(random.nextInt(16)));
        }
        if (random.nextBoolean()) {
            text.setCharAt(random.nextInt(text.length()), "\n/:`gAFé٣0f_".charAt(random.nextInt(12)));
        }
        return text.toString();
    }

    private static boolean isAccepted(Runnable check) {
        try {
            check.run();
            return true;
        } catch (IllegalArgumentException refused) {
            return false;
        }
    }
}
