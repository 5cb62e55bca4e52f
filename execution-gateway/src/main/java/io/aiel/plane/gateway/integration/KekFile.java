package io.aiel.plane.gateway.integration;

import io.aiel.plane.gateway.sealing.AesGcm;
import io.smallrye.mutiny.Uni;
import io.vertx.core.buffer.Buffer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.jboss.logging.Logger;

/**
 * Keys out of a file, one a line, the one in use first. A key is named by its digest, so that a line can be moved but not mistaken. The file is read
 * again when {@link #reload} is called; a file that cannot be read then leaves the keys as they were. Thread-safe.
 */
final class KekFile implements KeyEncryption {
    private static final Logger LOG = Logger.getLogger(KekFile.class);
    private static final Pattern HEX = Pattern.compile("[0-9a-fA-F]{64}");
    private static final int NAME_BYTES = 8;

    private final Path file;
    private final AtomicReference<Map<String, Buffer>> keys;

    /** Throws {@link IllegalArgumentException} that says what is wrong with the file, without a key in it. */
    KekFile(Path file) {
        this.file = file;
        this.keys = new AtomicReference<>(read(file));
    }

    private static Map<String, Buffer> read(Path file) {
        Map<String, Buffer> keys = new LinkedHashMap<>();
        int number = 0;
        try {
            for (String line : Files.readString(file).split("\n", -1)) {
                number++;
                String text = line.strip();
                if (!text.isEmpty() && !text.startsWith("#")) {
                    byte[] key = key(text);
                    if (key.length != AesGcm.KEY_BYTES) {
                        throw wrong(file, "line " + number + " is no key");
                    }
                    keys.put(name(key), Buffer.buffer(key));
                }
            }
        } catch (IOException e) {
            throw wrong(file, "it cannot be read (" + e.getClass().getSimpleName() + ")");
        }
        if (keys.isEmpty()) {
            throw wrong(file, "it holds no key");
        }
        return keys;
    }

    private static IllegalArgumentException wrong(Path file, String what) {
        return new IllegalArgumentException(
                "plane.integration.kek-file " + file + ": " + what
                        + "; it must have 32 bytes a line, in hex or base64, the key in use first; openssl rand -hex 32 makes one");
    }

    private static byte[] key(String text) {
        if (HEX.matcher(text).matches()) {
            return HexFormat.of().parseHex(text);
        }
        try {
            return Base64.getDecoder().decode(text);
        } catch (IllegalArgumentException e) {
            return new byte[0];
        }
    }

    private static String name(byte[] key) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update("aiel-plane kek\n".getBytes(StandardCharsets.UTF_8));
            return "kek-" + HexFormat.of().formatHex(digest.digest(key), 0, NAME_BYTES);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    @Override
    public void reload() {
        try {
            keys.set(read(file));
        } catch (IllegalArgumentException e) {
            LOG.warnf("the keys for credentials stay as they were: %s", e.getMessage());
        }
    }

    @Override
    public Uni<String> current() {
        return Uni.createFrom().item(() -> keys.get().keySet().iterator().next());
    }

    @Override
    public Uni<Wrapped> wrap(byte[] dataKey, byte[] bound) {
        return now(() -> {
            Map.Entry<String, Buffer> first = keys.get().entrySet().iterator().next();
            return new Wrapped(
                    first.getKey(),
                    Buffer.buffer(AesGcm.encrypt(first.getValue().getBytes(), dataKey, bound)));
        });
    }

    @Override
    public Uni<byte[]> unwrap(Wrapped wrapped, byte[] bound) {
        return now(() -> {
            Buffer key = keys.get().get(wrapped.kek());
            if (key == null) {
                throw new CredentialsUnavailable("The key " + wrapped.kek()
                        + " that these credentials are sealed under is not in plane.integration.kek-file.");
            }
            try {
                return AesGcm.decrypt(key.getBytes(), wrapped.bytes().getBytes(), bound);
            } catch (GeneralSecurityException e) {
                throw CredentialSeal.doesNotOpen();
            }
        });
    }

    private static <T> Uni<T> now(Supplier<T> computation) {
        return Uni.createFrom().item(computation);
    }
}
