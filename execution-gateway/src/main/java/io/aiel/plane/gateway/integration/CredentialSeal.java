package io.aiel.plane.gateway.integration;

import io.aiel.plane.gateway.sealing.AesGcm;
import io.smallrye.mutiny.Uni;
import io.vertx.core.buffer.Buffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.Arrays;

/**
 * Seals credentials for the database: each version under a random data key of its own, which is encrypted under a key that is not in the database.
 * Both are bound to tenant, connection and version, so that what is copied to another place does not open there. Thread-safe.
 */
final class CredentialSeal {
    private final KeyEncryption keys;

    CredentialSeal(KeyEncryption keys) {
        this.keys = keys;
    }

    /** What the credentials belong to, and alone open for. */
    record Place(String tenant, String connection, int version) {
        private byte[] bound(String what) {
            // None of them can have a line end in it, so no two places have the same text.
            return String.join("\n", "aiel-plane", what, tenant, connection, Integer.toString(version))
                    .getBytes(StandardCharsets.UTF_8);
        }

        private byte[] forKey() {
            return bound("data key");
        }

        private byte[] forCredentials() {
            return bound("credentials");
        }
    }

    /** Credentials as the database has them. */
    record Sealed(KeyEncryption.Wrapped key, Buffer credentials) {}

    Uni<Sealed> seal(Place place, byte[] credentials) {
        byte[] dataKey = AesGcm.random(AesGcm.KEY_BYTES);
        Buffer sealed = Buffer.buffer(AesGcm.encrypt(dataKey, credentials, place.forCredentials()));
        return keys.wrap(dataKey, place.forKey())
                .map(wrapped -> new Sealed(wrapped, sealed))
                .onTermination()
                .invoke(() -> Arrays.fill(dataKey, (byte) 0));
    }

    /** Fails with {@link CredentialsUnavailable} when they were sealed for another place, or the key is not there. */
    Uni<byte[]> open(Place place, Sealed sealed) {
        return keys.unwrap(sealed.key(), place.forKey()).map(dataKey -> {
            try {
                return AesGcm.decrypt(dataKey, sealed.credentials().getBytes(), place.forCredentials());
            } catch (GeneralSecurityException e) {
                throw doesNotOpen();
            } finally {
                Arrays.fill(dataKey, (byte) 0);
            }
        });
    }

    /** The same data key under the key in use now; what it seals stays as it is. */
    Uni<KeyEncryption.Wrapped> rewrap(Place place, KeyEncryption.Wrapped wrapped) {
        return keys.unwrap(wrapped, place.forKey())
                .chain(dataKey -> keys.wrap(dataKey, place.forKey())
                        .onTermination()
                        .invoke(() -> Arrays.fill(dataKey, (byte) 0)));
    }

    /** Name of the key in use now. */
    Uni<String> current() {
        return keys.current();
    }

    static CredentialsUnavailable doesNotOpen() {
        return new CredentialsUnavailable(
                "The credentials do not open: they were sealed for another connection, or are damaged. Set them again.");
    }
}
