package io.aiel.plane.gateway.execution;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.vocabulary.RetryRule;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Reads what a runner request's {@code meta} says of the queue. Collects what is wrong with it; computation only. */
final class QueueingReader {
    /** The members of {@code meta} that only mean something to the queue. */
    static final List<String> MEMBERS = List.of("priority", "start_at", "retry");

    private static final String RETRY = "/meta/retry";
    private static final Set<String> RETRY_MEMBERS = Set.of("max_attempts", "backoff_ms", "backoff_max_ms");
    private static final int TIME_CHARS_MAX = 64;
    private static final Instant YEAR_3000 = Instant.parse("3000-01-01T00:00:00Z");

    private final ObjectNode meta;
    private final List<InputError> errors;

    private QueueingReader(ObjectNode meta, List<InputError> errors) {
        this.meta = meta;
        this.errors = errors;
    }

    /** What is asked for; empty when no member is there. Adds to {@code errors}. */
    static Optional<Queueing> read(ObjectNode meta, List<InputError> errors) {
        return MEMBERS.stream().anyMatch(meta::hasNonNull)
                ? Optional.of(new QueueingReader(meta, errors).read())
                : Optional.empty();
    }

    private Queueing read() {
        int priority = (int) whole(meta, "/meta", "priority", 0, -Queueing.PRIORITY_MAX, Queueing.PRIORITY_MAX);
        Optional<Instant> startAt = startAt(meta.get("start_at"));
        @Nullable JsonNode retry = meta.get("retry");
        if (retry == null || retry.isNull()) {
            return new Queueing(priority, startAt, Optional.empty());
        }
        if (!(retry instanceof ObjectNode wishes)) {
            error(RETRY, "must be an object");
            return Queueing.PLAIN;
        }
        for (Map.Entry<String, JsonNode> member : wishes.properties()) {
            if (!RETRY_MEMBERS.contains(member.getKey())) {
                error(RETRY + "/" + RunnerRequestReader.escape(member.getKey()), "is not a known member");
            }
        }
        if (!wishes.hasNonNull("max_attempts")) {
            error(RETRY + "/max_attempts", "is missing; say how often it may be begun");
        }
        long shortest = RetryRule.BACKOFF_MIN.toMillis();
        long longest = RetryRule.BACKOFF_MAX.toMillis();
        long backoff =
                whole(wishes, RETRY, "backoff_ms", RetryRule.ONCE.backoff().toMillis(), shortest, longest);
        long backoffMax = whole(
                wishes,
                RETRY,
                "backoff_max_ms",
                Math.max(backoff, RetryRule.ONCE.backoffMax().toMillis()),
                backoff,
                longest);
        return new Queueing(
                priority,
                startAt,
                Optional.of(new RetryRule(
                        (int) whole(wishes, RETRY, "max_attempts", 1, 1, RetryRule.ATTEMPTS_MAX),
                        Duration.ofMillis(backoff),
                        Duration.ofMillis(backoffMax))));
    }

    private Optional<Instant> startAt(@Nullable JsonNode node) {
        if (node == null || node.isNull()) {
            return Optional.empty();
        }
        if (node.isTextual() && node.asText().length() <= TIME_CHARS_MAX) {
            try {
                Instant at = OffsetDateTime.parse(node.asText()).toInstant();
                if (at.isAfter(Instant.EPOCH) && at.isBefore(YEAR_3000)) {
                    return Optional.of(at);
                }
            } catch (DateTimeParseException e) {
                // The same answer as for a time that cannot be meant.
            }
        }
        error("/meta/start_at", "must be a time as in RFC 3339, such as 2030-01-31T08:00:00Z");
        return Optional.empty();
    }

    private long whole(ObjectNode object, String pointer, String member, long absent, long least, long most) {
        @Nullable JsonNode node = object.get(member);
        if (node == null || node.isNull()) {
            return absent;
        }
        if (node.isIntegralNumber()
                && node.canConvertToLong()
                && node.longValue() >= least
                && node.longValue() <= most) {
            return node.longValue();
        }
        error(pointer + "/" + member, "must be an integer between " + least + " and " + most);
        return absent;
    }

    private void error(String pointer, String message) {
        errors.add(new InputError(pointer, message));
    }
}
