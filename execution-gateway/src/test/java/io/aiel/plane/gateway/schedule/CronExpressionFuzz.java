package io.aiel.plane.gateway.schedule;

import java.nio.charset.StandardCharsets;
import java.time.LocalDateTime;

/** Cron expressions: refused by the field that is wrong, or due again and again, at times that go on. */
public final class CronExpressionFuzz {
    private CronExpressionFuzz() {}

    /** The text that a caller names. */
    public static void fuzzerTestOneInput(byte[] input) {
        String text = new String(input, StandardCharsets.UTF_8);
        CronExpression cron;
        try {
            cron = CronExpression.parse(text);
        } catch (IllegalArgumentException refused) {
            return;
        }
        CronExpression again = CronExpression.parse(cron.toString());
        require(again.toString().equals(cron.toString()), "what is kept reads as the same");
        LocalDateTime from = LocalDateTime.of(2026, 2, 28, 23, 59, 30);
        for (int i = 0; i < 3; i++) {
            LocalDateTime due = cron.next(from).orElseThrow(() -> new AssertionError("due once, due again"));
            require(!due.isBefore(from), "a time that is to come");
            require(due.getSecond() == 0 && due.getNano() == 0, "a whole minute");
            require(again.next(from).orElseThrow().equals(due), "the same due time");
            from = due.plusMinutes(1);
        }
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
