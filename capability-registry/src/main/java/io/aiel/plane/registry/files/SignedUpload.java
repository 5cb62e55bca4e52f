package io.aiel.plane.registry.files;

import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.UploadId;
import java.time.Instant;

/** An upload that may be made: exactly these bytes, for this path, until then. */
public record SignedUpload(
        UploadId id,
        ProjectScope scope,
        String path,
        String contentType,
        long sizeBytes,
        Digest digest,
        Instant expiresAt) {}
