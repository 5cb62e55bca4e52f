package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.smallrye.mutiny.Uni;
import io.vertx.core.buffer.Buffer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.HexFormat;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Sealed credentials open where they were sealed for, and nowhere else.
 */
class CredentialSealTest {
    private static final byte[] SECRET = "{\"password\":\"canary-7f3a\"}".getBytes(StandardCharsets.UTF_8);
    private static final CredentialSeal.Place PLACE = new CredentialSeal.Place("ten_1", "conn_1", 1);
    private static final String FIRST = "11".repeat(32);
    private static final String SECOND = Base64.getEncoder().encodeToString(new byte[32]);

    @TempDir
    Path folder;

    private Path file = Path.of("");

    @BeforeEach
    void makeKeys() throws IOException {
        file = folder.resolve("keys");
        Files.writeString(file, "# made by a test\n" + FIRST + "\n");
    }

    private static <T> T await(Uni<T> work) {
        return work.await().atMost(Duration.ofSeconds(5));
    }

    private CredentialSeal seal() {
        return new CredentialSeal(new KekFile(file));
    }

    @Test
    void opensWhatItSealedAndHoldsNothingReadable() {
        CredentialSeal.Sealed sealed = await(seal().seal(PLACE, SECRET));

        assertThat(await(seal().open(PLACE, sealed))).isEqualTo(SECRET);
        String both = HexFormat.of().formatHex(sealed.credentials().getBytes())
                + HexFormat.of().formatHex(sealed.key().bytes().getBytes());
        assertThat(both).doesNotContain(HexFormat.of().formatHex("canary".getBytes(StandardCharsets.UTF_8)));
    }

    @Test
    void usesAFreshDataKeyForEachVersion() {
        CredentialSeal.Sealed one = await(seal().seal(PLACE, SECRET));
        CredentialSeal.Sealed other = await(seal().seal(PLACE, SECRET));

        // Credentials of one version with the data key of another.
        assertDoesNotOpen(PLACE, new CredentialSeal.Sealed(other.key(), one.credentials()));
    }

    /** Seen to fail: with a seal that was bound to nothing. */
    @Test
    void doesNotOpenForAnotherTenantConnectionOrVersion() {
        CredentialSeal.Sealed sealed = await(seal().seal(PLACE, SECRET));

        assertDoesNotOpen(new CredentialSeal.Place("ten_2", "conn_1", 1), sealed);
        assertDoesNotOpen(new CredentialSeal.Place("ten_1", "conn_2", 1), sealed);
        assertDoesNotOpen(new CredentialSeal.Place("ten_1", "conn_1", 2), sealed);
    }

    @Test
    void bindsTheCredentialsThemselvesNotOnlyTheirKey() throws Exception {
        CredentialSeal.Place elsewhere = new CredentialSeal.Place("ten_1", "conn_2", 1);
        KekFile keys = new KekFile(file);
        CredentialSeal.Sealed sealed = await(new CredentialSeal(keys).seal(PLACE, SECRET));
        byte[] dataKey = await(keys.unwrap(sealed.key(), bound("data key", PLACE)));
        // Whoever could wrap the data key for another place still could not use the ciphertext there.
        KeyEncryption.Wrapped moved = await(keys.wrap(dataKey, bound("data key", elsewhere)));

        assertDoesNotOpen(elsewhere, new CredentialSeal.Sealed(moved, sealed.credentials()));
    }

    private static byte[] bound(String what, CredentialSeal.Place place) {
        return String.join(
                        "\n", "aiel-plane", what, place.tenant(), place.connection(), Integer.toString(place.version()))
                .getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void doesNotOpenWhenAByteIsChanged() {
        CredentialSeal.Sealed sealed = await(seal().seal(PLACE, SECRET));
        for (int at = 0; at < sealed.credentials().length(); at++) {
            Buffer changed = sealed.credentials().copy();
            changed.setByte(at, (byte) (changed.getByte(at) ^ 1));
            assertDoesNotOpen(PLACE, new CredentialSeal.Sealed(sealed.key(), changed));
        }
    }

    @Test
    void sealsUnderTheNewestKeyAndStillOpensWhatTheOldOneSealed() throws IOException {
        KekFile keys = new KekFile(file);
        CredentialSeal seal = new CredentialSeal(keys);
        CredentialSeal.Sealed old = await(seal.seal(PLACE, SECRET));

        Files.writeString(file, SECOND + "\n" + FIRST + "\n");
        keys.reload();

        assertThat(await(seal.open(PLACE, old))).isEqualTo(SECRET);
        KeyEncryption.Wrapped rewrapped = await(seal.rewrap(PLACE, old.key()));
        assertThat(rewrapped.kek())
                .isEqualTo(await(seal.current()))
                .isNotEqualTo(old.key().kek());

        // The old key can go now.
        Files.writeString(file, SECOND + "\n");
        keys.reload();
        assertThat(await(seal.open(PLACE, new CredentialSeal.Sealed(rewrapped, old.credentials()))))
                .isEqualTo(SECRET);
        assertThatThrownBy(() -> await(seal.open(PLACE, old)))
                .isInstanceOf(CredentialsUnavailable.class)
                .hasMessageContaining(old.key().kek());
    }

    @Test
    void keepsItsKeysWhenTheFileBecomesUnreadable() throws IOException {
        KekFile keys = new KekFile(file);
        CredentialSeal.Sealed sealed = await(new CredentialSeal(keys).seal(PLACE, SECRET));

        Files.writeString(file, "no key\n");
        keys.reload();

        assertThat(await(new CredentialSeal(keys).open(PLACE, sealed))).isEqualTo(SECRET);
    }

    @Test
    void refusesAFileThatHoldsNoKeyWithoutRepeatingIt() throws IOException {
        Files.writeString(file, FIRST + "\nsecret-looking-text\n");

        assertThatThrownBy(() -> new KekFile(file))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("line 2 is no key")
                .hasMessageNotContaining("secret-looking-text");
    }

    @Test
    void refusesCredentialsWithoutAKey() {
        CredentialSeal without = new CredentialSeal(new NoKeyEncryption());

        assertThatThrownBy(() -> await(without.seal(PLACE, SECRET)))
                .isInstanceOf(CredentialsUnavailable.class)
                .hasMessageContaining("plane.integration.kek-file");
    }

    private void assertDoesNotOpen(CredentialSeal.Place place, CredentialSeal.Sealed sealed) {
        assertThatThrownBy(() -> await(seal().open(place, sealed)))
                .isInstanceOf(CredentialsUnavailable.class)
                .hasMessageContaining("do not open");
    }
}
