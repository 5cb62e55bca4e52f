package io.aiel.plane.gateway.schedule;

import java.time.DayOfWeek;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.temporal.ChronoUnit;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * The five fields of cron: minute, hour, day of the month, month, day of the week, each with {@code *}, numbers, ranges, steps and lists, months
 * and days also by their English names. As in POSIX, where both days are restricted one of them is enough. Knows local times only; which
 * instants these are is {@link Recurrence}'s matter. Immutable.
 */
final class CronExpression {
    private static final int CHARACTERS_MAX = 200;
    private static final int FIELDS = 5;
    private static final List<String> MONTHS =
            List.of("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec");
    private static final List<String> WEEKDAYS = List.of("sun", "mon", "tue", "wed", "thu", "fri", "sat");
    private static final int SUNDAY_TOO = 7;
    /** The 29th of February can be eight years away. */
    private static final int DAYS_AHEAD_MAX = 366 * 8 + 2;

    private final String text;
    private final BitSet minutes;
    private final BitSet hours;
    private final BitSet days;
    private final BitSet months;
    private final BitSet weekdays;
    private final boolean anyDay;
    private final boolean anyWeekday;

    private CronExpression(String text, String[] fields) {
        this.text = text;
        this.minutes = field("minute", fields[0], 0, 59, List.of());
        this.hours = field("hour", fields[1], 0, 23, List.of());
        this.days = field("day of the month", fields[2], 1, 31, List.of());
        this.months = field("month", fields[3], 1, 12, MONTHS);
        this.weekdays = field("day of the week", fields[4], 0, SUNDAY_TOO, WEEKDAYS);
        if (weekdays.get(SUNDAY_TOO)) {
            weekdays.set(0);
        }
        // A step over everything restricts nothing either: that is what cron goes by, the first character.
        this.anyDay = fields[2].startsWith("*");
        this.anyWeekday = fields[4].startsWith("*");
    }

    /** Throws {@link IllegalArgumentException} that says which field is wrong. */
    static CronExpression parse(String text) {
        String[] fields = text.strip().split("[ \\t]+", -1);
        if (text.length() > CHARACTERS_MAX || fields.length != FIELDS) {
            throw new IllegalArgumentException(
                    "must have five fields: minute, hour, day of the month, month, day of the week");
        }
        CronExpression read = new CronExpression(String.join(" ", fields), fields);
        if (read.next(LocalDateTime.of(2024, 1, 1, 0, 0)).isEmpty()) {
            throw new IllegalArgumentException("is never due: no month of it has such a day");
        }
        return read;
    }

    private static BitSet field(String name, String field, int least, int most, List<String> names) {
        BitSet set = new BitSet(most + 1);
        // Sunday has two numbers.
        int everything = names.equals(WEEKDAYS) ? most - 1 : most;
        for (String part : field.split(",", -1)) {
            String[] stepped = part.split("/", -1);
            if (stepped.length > 2) {
                throw wrong(name, least, most);
            }
            int from;
            int to;
            if (stepped[0].equals("*")) {
                from = least;
                to = everything;
            } else {
                String[] ends = stepped[0].split("-", -1);
                from = number(name, ends[0], least, most, names);
                to = ends.length == 2
                        ? number(name, ends[1], least, most, names)
                        : stepped.length == 2 ? everything : from;
                if (ends.length > 2 || to < from) {
                    throw wrong(name, least, most);
                }
            }
            int step = stepped.length == 2 ? number(name, stepped[1], 1, most, List.of()) : 1;
            for (int value = from; value <= to; value += step) {
                set.set(value);
            }
        }
        return set;
    }

    private static int number(String name, String text, int least, int most, List<String> names) {
        int named = names.indexOf(text.toLowerCase(Locale.ROOT));
        if (named >= 0) {
            return named + (names.equals(MONTHS) ? 1 : 0);
        }
        int value = text.matches("[0-9]{1,2}") ? Integer.parseInt(text) : -1;
        if (value < least || value > most) {
            throw wrong(name, least, most);
        }
        return value;
    }

    private static IllegalArgumentException wrong(String name, int least, int most) {
        return new IllegalArgumentException(
                "has a wrong " + name + "; it takes " + least + " to " + most + ", ranges, lists and steps");
    }

    /** Whether it is due in each hour of its days: then it goes by the clock on the wall, whatever that does. */
    boolean everyHour() {
        return hours.cardinality() == 24;
    }

    /** The first local time from this one on, this one included, at which it is due; empty when there is none in eight years. */
    Optional<LocalDateTime> next(LocalDateTime from) {
        LocalDateTime start = from.truncatedTo(ChronoUnit.MINUTES);
        if (start.isBefore(from)) {
            start = start.plusMinutes(1);
        }
        LocalDate day = start.toLocalDate();
        LocalTime time = start.toLocalTime();
        for (int ahead = 0; ahead < DAYS_AHEAD_MAX; ahead++) {
            if (matches(day)) {
                Optional<LocalTime> due = next(time);
                if (due.isPresent()) {
                    return Optional.of(day.atTime(due.get()));
                }
            }
            day = day.plusDays(1);
            time = LocalTime.MIDNIGHT;
        }
        return Optional.empty();
    }

    private boolean matches(LocalDate day) {
        boolean ofMonth = days.get(day.getDayOfMonth());
        boolean ofWeek = weekdays.get(
                day.getDayOfWeek() == DayOfWeek.SUNDAY ? 0 : day.getDayOfWeek().getValue());
        boolean bothCount = anyDay || anyWeekday;
        boolean matches = bothCount ? (ofMonth && ofWeek) : (ofMonth || ofWeek);
        return months.get(day.getMonthValue()) && matches;
    }

    private Optional<LocalTime> next(LocalTime from) {
        int hour = hours.nextSetBit(from.getHour());
        if (hour == from.getHour()) {
            int minute = minutes.nextSetBit(from.getMinute());
            if (minute >= 0) {
                return Optional.of(LocalTime.of(hour, minute));
            }
            hour = hours.nextSetBit(hour + 1);
        }
        return hour < 0 ? Optional.empty() : Optional.of(LocalTime.of(hour, minutes.nextSetBit(0)));
    }

    @Override
    public String toString() {
        return text;
    }
}
