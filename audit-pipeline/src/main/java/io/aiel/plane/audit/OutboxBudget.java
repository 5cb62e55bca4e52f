package io.aiel.plane.audit;

/**
 * How large the outbox may grow while records cannot go on.
 *
 * @param rowsMax records
 * @param bytesMax bytes of canonical text
 */
public record OutboxBudget(long rowsMax, long bytesMax) {
    public OutboxBudget {
        if (rowsMax < 1 || bytesMax < 1) {
            throw new IllegalArgumentException("an outbox budget is at least one record and one byte");
        }
    }
}
