package io.aiel.plane.gateway.callback;

import io.aiel.plane.gateway.sealing.AesGcm;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;

/**
 * Seals secrets for the database, each bound to what it belongs to, so that a sealed secret moved to another row does not open. Immutable,
 * thread-safe.
 */
final class SecretSeal {
    static final int KEY_BYTES = AesGcm.KEY_BYTES;

    private final byte[] key;

    SecretSeal(byte[] key) {
        if (key.length != KEY_BYTES) {
            throw new IllegalArgumentException("a sealing key has " + KEY_BYTES + " bytes");
        }
        this.key = key.clone();
    }

    /** @param owner what the secret belongs to; opens only with the same */
    byte[] seal(byte[] secret, String owner) {
        return AesGcm.encrypt(key, secret, bound(owner));
    }

    /** Throws {@link IllegalStateException} when it was not sealed so: with another key, or for another owner. */
    byte[] open(byte[] sealed, String owner) {
        try {
            return AesGcm.decrypt(key, sealed, bound(owner));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(
                    "a callback secret does not open; it was sealed with another plane.callbacks.sealing-key", e);
        }
    }

    private static byte[] bound(String owner) {
        return owner.getBytes(StandardCharsets.UTF_8);
    }
}
