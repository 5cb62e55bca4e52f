package io.aiel.plane.registry.files;

import io.aiel.plane.vocabulary.Digest;
import java.util.Optional;

/**
 * What a caller announces that it will upload.
 *
 * @param expectedVersion the version that the upload replaces; 0 for a file that is new; empty when the commit will say
 */
public record UploadRequest(String contentType, Optional<Long> expectedVersion, long sizeBytes, Digest digest) {}
