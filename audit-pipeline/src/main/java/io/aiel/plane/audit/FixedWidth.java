package io.aiel.plane.audit;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;

/**
 * The attributes of a record that order as text because each has one width: {@code sequence}, as the CloudEvents extension of that
 * name wants it, and {@code time} with microseconds, because that is what the database keeps. Reading accepts exactly what is
 * written and otherwise throws {@link IllegalArgumentException}.
 */
final class FixedWidth {
    private static final int SEQUENCE_DIGITS = 15;
    private static final String TIME_FORM = "2###-##-##T##:##:##.######Z";

    private FixedWidth() {}

    static String sequence(long sequence) {
        StringBuilder text = new StringBuilder(SEQUENCE_DIGITS);
        append(text, sequence, SEQUENCE_DIGITS);
        return text.toString();
    }

    /** Reads a sequence, which begins at one. */
    static long parseSequence(String text) {
        if (text.length() == SEQUENCE_DIGITS && areDigits(text)) {
            long sequence = Long.parseLong(text);
            if (sequence >= 1) {
                return sequence;
            }
        }
        throw new IllegalArgumentException("sequence is malformed");
    }

    static String time(Instant time) {
        LocalDateTime utc = LocalDateTime.ofEpochSecond(time.getEpochSecond(), time.getNano(), ZoneOffset.UTC);
        StringBuilder text = new StringBuilder(TIME_FORM.length());
        append(text, utc.getYear(), 4);
        append(text.append('-'), utc.getMonthValue(), 2);
        append(text.append('-'), utc.getDayOfMonth(), 2);
        append(text.append('T'), utc.getHour(), 2);
        append(text.append(':'), utc.getMinute(), 2);
        append(text.append(':'), utc.getSecond(), 2);
        append(text.append('.'), utc.getNano() / 1000, 6);
        return text.append('Z').toString();
    }

    /** Reads a time of this millennium: years beyond four digits are no timestamptz, and one would fail a whole batch. */
    static OffsetDateTime parseTime(String text) {
        if (!isTime(text)) {
            throw new IllegalArgumentException("time is malformed");
        }
        try {
            return OffsetDateTime.of(
                    number(text, 0, 4),
                    number(text, 5, 7),
                    number(text, 8, 10),
                    number(text, 11, 13),
                    number(text, 14, 16),
                    number(text, 17, 19),
                    number(text, 20, 26) * 1000,
                    ZoneOffset.UTC);
        } catch (DateTimeException e) {
            throw new IllegalArgumentException("time is malformed", e);
        }
    }

    private static boolean isTime(String text) {
        if (text.length() != TIME_FORM.length()) {
            return false;
        }
        for (int i = 0; i < text.length(); i++) {
            char form = TIME_FORM.charAt(i);
            if (form == '#' ? !isDigit(text.charAt(i)) : form != text.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    private static int number(String text, int from, int to) {
        return Integer.parseInt(text, from, to, 10);
    }

    private static void append(StringBuilder text, long number, int width) {
        String digits = Long.toString(number);
        text.repeat('0', Math.max(0, width - digits.length())).append(digits);
    }

    private static boolean areDigits(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (!isDigit(text.charAt(i))) {
                return false;
            }
        }
        return true;
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }
}
