package io.aiel.plane.audit;

import io.aiel.plane.vocabulary.EventId;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.WorkspaceId;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Base64;
import java.util.Optional;

/**
 * Which records somebody wants to see; absent members match all.
 *
 * @param type a full type of {@link EventTypes}
 * @param capability {@code kind:name}
 * @param decision {@code allow} or {@code deny}
 * @param from inclusive
 * @param to exclusive
 * @param limit records at once, 1 to {@value #LIMIT_MAX}
 */
public record AuditQuery(
        TenantId tenant,
        Optional<WorkspaceId> workspace,
        Optional<ProjectId> project,
        Optional<PrincipalId> principal,
        Optional<String> type,
        Optional<ExecutionId> execution,
        Optional<String> capability,
        Optional<String> decision,
        Optional<Instant> from,
        Optional<Instant> to,
        boolean newestFirst,
        int limit,
        Optional<Cursor> after) {
    public static final int LIMIT_MAX = 500;
    public static final int LIMIT_DEFAULT = 100;

    public AuditQuery {
        if (limit < 1 || limit > LIMIT_MAX) {
            throw new IllegalArgumentException("limit is a number from 1 to " + LIMIT_MAX);
        }
        if (decision.isPresent()
                && !decision.get().equals("allow")
                && !decision.get().equals("deny")) {
            throw new IllegalArgumentException("decision is allow or deny");
        }
        if (from.isPresent() && to.isPresent() && to.get().isBefore(from.get())) {
            throw new IllegalArgumentException("to is not before from");
        }
    }

    /** The place after which a page goes on; its text is opaque to callers. */
    public record Cursor(Instant time, EventId id) {
        /** Reads {@link #toString()}; throws {@link IllegalArgumentException}. */
        public static Cursor parse(String text) {
            try {
                String plain = new String(Base64.getUrlDecoder().decode(text), StandardCharsets.UTF_8);
                int separator = plain.indexOf(' ');
                long micros = Long.parseLong(plain.substring(0, Math.max(0, separator)));
                return new Cursor(
                        Instant.EPOCH.plus(micros, ChronoUnit.MICROS), EventId.parse(plain.substring(separator + 1)));
            } catch (IllegalArgumentException | ArithmeticException | java.time.DateTimeException e) {
                throw new IllegalArgumentException("not a cursor of ours: pass next_cursor as it was given", e);
            }
        }

        @Override
        public String toString() {
            String plain = ChronoUnit.MICROS.between(Instant.EPOCH, time) + " " + id;
            return Base64.getUrlEncoder().withoutPadding().encodeToString(plain.getBytes(StandardCharsets.UTF_8));
        }
    }
}
