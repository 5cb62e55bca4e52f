package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.Digest;

/**
 * The wish to be the one execution of this key.
 *
 * @param fingerprint digest of what was asked; the same key with another one is a mistake of the caller's
 */
record IdempotencyClaim(IdempotencyKey key, Digest fingerprint) {}
