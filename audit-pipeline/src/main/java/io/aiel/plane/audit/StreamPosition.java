package io.aiel.plane.audit;

import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.TenantId;
import java.util.Optional;

/**
 * Where a stream stands: what the next record continues from.
 *
 * @param sequence of the last record; 0 when there is none
 * @param hash of the last record; empty when there is none
 */
public record StreamPosition(String stream, long sequence, Optional<Digest> hash) {
    /** The start of a stream that has no record. */
    public static StreamPosition start(String stream) {
        return new StreamPosition(stream, 0, Optional.empty());
    }

    /** The start of an execution's stream. */
    public static StreamPosition startOf(ExecutionId execution) {
        return start("execution/" + execution);
    }

    /** The start of a tenant's control stream. */
    public static StreamPosition startOf(TenantId tenant) {
        return start("control/" + tenant);
    }
}
