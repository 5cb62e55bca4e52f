package io.aiel.plane.vocabulary;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** A SHA-256 content address, written {@code sha256:} and 64 lower-case hex digits. */
public record Digest(String value) {
    private static final String ALGORITHM = "sha256:";
    private static final int HEX_DIGITS = 64;
    private static final HexFormat HEX = HexFormat.of();

    // Each record and each argument is digested: looking the algorithm up costs as much as a short text.
    private static final ThreadLocal<MessageDigest> SHA_256 = ThreadLocal.withInitial(Digest::sha256);

    public Digest {
        if (value.length() != ALGORITHM.length() + HEX_DIGITS
                || !value.startsWith(ALGORITHM)
                || !Ids.isHex(value, ALGORITHM.length())) {
            throw new IllegalArgumentException("not a digest: expected sha256: and 64 lower-case hex digits");
        }
    }

    /** The digest of these bytes. */
    public static Digest of(byte[] bytes) {
        return ofHex(HEX.formatHex(SHA_256.get().digest(bytes)));
    }

    /** The digest of this text's UTF-8 bytes. */
    public static Digest of(String text) {
        return of(text.getBytes(StandardCharsets.UTF_8));
    }

    /** The digest with these 64 hex digits. */
    public static Digest ofHex(String hex) {
        return new Digest(ALGORITHM + hex);
    }

    /** The 64 hex digits without the algorithm's name. */
    public String hex() {
        return value.substring(ALGORITHM.length());
    }

    @Override
    public String toString() {
        return value;
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
