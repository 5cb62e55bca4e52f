package io.aiel.plane.gateway.integration;

import io.smallrye.mutiny.Uni;
import io.vertx.core.buffer.Buffer;

/**
 * Encrypts data keys under keys that are not in the database: of a file, or of a key management service. Thread-safe; does not block. A failure says
 * what is to be done and holds no key.
 */
interface KeyEncryption {
    /**
     * A data key, encrypted.
     *
     * @param kek name of the key that it is encrypted under
     */
    record Wrapped(String kek, Buffer bytes) {}

    /** Name of the key that {@link #wrap} uses now. Fails with {@link CredentialsUnavailable} when there is none. */
    Uni<String> current();

    /** @param bound opens only with the same */
    Uni<Wrapped> wrap(byte[] dataKey, byte[] bound);

    /** Fails with {@link CredentialsUnavailable} when the key is not there, or this was not wrapped so. */
    Uni<byte[]> unwrap(Wrapped wrapped, byte[] bound);
}
