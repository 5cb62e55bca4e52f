package io.aiel.plane.audit;

import io.aiel.plane.vocabulary.Digest;
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
}
