package io.aiel.plane.gateway.integration;

import io.smallrye.mutiny.Uni;
import io.vertx.core.buffer.Buffer;

/**
 * Encrypts data keys under keys that are not in the database: those of a file ({@link KekFile}), or one of a key management service ({@link
 * TransitKeys}). Thread-safe; does not block, but for {@link #reload}, and may wait for a service as long as that may take. A failure says what is to
 * be done and holds no key.
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

    /** Takes its files as they are now. Blocks for as long as reading a small file does. */
    default void reload() {}

    /** Lets go of what it holds; it is not used after that. */
    default void close() {}
}
