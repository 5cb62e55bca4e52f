package io.aiel.plane.registry.files;

/**
 * A commit that succeeded.
 *
 * @param changed false when the file had these bytes already, and so kept its version
 */
public record Committed(StoredFile file, boolean changed) {}
