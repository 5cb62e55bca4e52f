package io.aiel.plane.gateway.schedule;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.TokenText;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What a caller wants of a schedule, read and checked as far as that can be without the project.
 *
 * @param request what is queued each time
 */
record ScheduleWish(String name, Recurrence recurrence, Treatment treatment, ObjectNode request, boolean paused) {
    /**
     * How due times are treated.
     *
     * @param window how old one may be that is made up for
     */
    record Treatment(Overlap overlap, CatchUp catchUp, Duration window) {}

    private static final Set<String> MEMBERS =
            Set.of("name", "cron", "time_zone", "request", "overlap", "catch_up", "catch_up_window_s", "paused");
    /** Each run has its own. */
    private static final List<String> NOT_IN_META = List.of("start_at", "idempotency_key");

    private static final int NAME_MAX = 200;
    private static final int WINDOW_DEFAULT_S = 3_600;
    private static final int INTERVALS_CHECKED = 200;

    /** Reads a body; throws the {@link Refusal} that names everything that is wrong with it. */
    static ScheduleWish read(@Nullable JsonNode body, ScheduleSettings settings, Instant now) {
        if (!(body instanceof ObjectNode source)) {
            throw new Refusal(ErrorCode.MALFORMED_REQUEST, "Send a schedule as a JSON object.");
        }
        return new Reader(source, settings).read(now);
    }

    private static final class Reader {
        private final ObjectNode source;
        private final ScheduleSettings settings;
        private final List<Map<String, String>> errors = new ArrayList<>();

        Reader(ObjectNode source, ScheduleSettings settings) {
            this.source = source;
            this.settings = settings;
        }

        ScheduleWish read(Instant now) {
            source.properties().forEach(member -> {
                if (!MEMBERS.contains(member.getKey())) {
                    wrong("/" + member.getKey().replace("~", "~0").replace("/", "~1"), "is not a known member");
                }
            });
            String name = name();
            @Nullable CronExpression cron = cron();
            @Nullable ZoneId zone = zone();
            Treatment treatment = new Treatment(
                    choice("overlap", Overlap.class, Overlap.FORBID),
                    choice("catch_up", CatchUp.class, CatchUp.NONE),
                    Duration.ofSeconds(window()));
            JsonNode paused = source.path("paused");
            if (!paused.isMissingNode() && !paused.isNull() && !paused.isBoolean()) {
                wrong("/paused", "must be true or false");
            }
            @Nullable ObjectNode request = request();
            if (cron != null && zone != null) {
                Recurrence recurrence = new Recurrence(cron, zone);
                recurrence
                        .shortest(now, INTERVALS_CHECKED)
                        .filter(shortest -> shortest.compareTo(settings.leastInterval()) < 0)
                        .ifPresent(shortest -> wrong(
                                "/cron",
                                "is due every " + shortest + "; the least interval is " + settings.leastInterval()));
                if (errors.isEmpty() && request != null) {
                    return new ScheduleWish(name, recurrence, treatment, request, paused.asBoolean(false));
                }
            }
            Map<String, String> first = errors.getFirst();
            throw new Refusal(
                    ErrorCode.VALIDATION_ERROR,
                    first.get("pointer") + ": " + first.get("message"),
                    Map.of("errors", errors));
        }

        private String name() {
            @Nullable String name = text("name");
            if (name == null
                    || name.isBlank()
                    || name.length() > NAME_MAX
                    || name.codePoints().anyMatch(Character::isISOControl)) {
                wrong("/name", "needs 1 to " + NAME_MAX + " characters, none of them a control character");
                return "";
            }
            if (TokenText.isIn(name)) {
                wrong("/name", "holds a token, which would go on record; revoke that token and choose another name");
            }
            return name.strip();
        }

        private @Nullable CronExpression cron() {
            @Nullable String text = text("cron");
            try {
                return CronExpression.parse(text == null ? "" : text);
            } catch (IllegalArgumentException e) {
                wrong("/cron", String.valueOf(e.getMessage()));
                return null;
            }
        }

        private @Nullable ZoneId zone() {
            @Nullable String text = source.hasNonNull("time_zone") ? text("time_zone") : "UTC";
            // Names of places alone: an offset has no summer, and is a mistake more often than a wish.
            if (text != null && ZoneId.getAvailableZoneIds().contains(text)) {
                return ZoneId.of(text);
            }
            wrong("/time_zone", "must be a name of the IANA time zone database, such as Europe/Vienna or UTC");
            return null;
        }

        private <T extends Enum<T>> T choice(String member, Class<T> type, T absent) {
            JsonNode node = source.path(member);
            if (node.isMissingNode() || node.isNull()) {
                return absent;
            }
            List<String> names = Stream.of(type.getEnumConstants())
                    .map(one -> one.name().toLowerCase(Locale.ROOT))
                    .toList();
            int at = node.isTextual() ? names.indexOf(node.asText()) : -1;
            if (at < 0) {
                wrong("/" + member, "must be one of " + String.join(", ", names));
                return absent;
            }
            return type.getEnumConstants()[at];
        }

        private long window() {
            JsonNode node = source.path("catch_up_window_s");
            long most = settings.catchUpWindowMax().toSeconds();
            if (node.isMissingNode() || node.isNull()) {
                return Math.min(WINDOW_DEFAULT_S, most);
            }
            if (!node.isIntegralNumber() || !node.canConvertToInt() || node.asInt() < 0 || node.asInt() > most) {
                wrong("/catch_up_window_s", "must be an integer between 0 and " + most);
                return 0;
            }
            return node.asInt();
        }

        private @Nullable ObjectNode request() {
            if (!(source.path("request") instanceof ObjectNode request)) {
                wrong("/request", "must be a runner request, as POST …/executions takes it");
                return null;
            }
            for (String member : NOT_IN_META) {
                if (request.path("meta").hasNonNull(member)) {
                    wrong("/request/meta/" + member, "is each run's own, and not for a schedule to name");
                }
            }
            int bytes = request.toString().getBytes(StandardCharsets.UTF_8).length;
            if (bytes > settings.requestBytesMax()) {
                throw new Refusal(
                        ErrorCode.PAYLOAD_TOO_LARGE,
                        "The request of a schedule may have at most " + settings.requestBytesMax() + " bytes.");
            }
            return request;
        }

        private @Nullable String text(String member) {
            JsonNode node = source.path(member);
            return node.isTextual() ? node.asText() : null;
        }

        private void wrong(String pointer, String message) {
            Map<String, String> error = new LinkedHashMap<>();
            error.put("pointer", pointer);
            error.put("message", message);
            errors.add(error);
        }
    }
}
