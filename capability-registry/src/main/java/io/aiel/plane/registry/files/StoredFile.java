package io.aiel.plane.registry.files;

import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.PrincipalId;
import java.time.Instant;
import java.util.Optional;

/**
 * A file of a project as it is now.
 *
 * @param version from 1, one more with each change of the path, deletions included
 */
public record StoredFile(
        String path,
        long version,
        Digest digest,
        long sizeBytes,
        String contentType,
        Instant updatedAt,
        Optional<PrincipalId> updatedBy) {}
