package io.aiel.plane.registry.files;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Makes and checks the signature of a URL that works without a token: HMAC-SHA-256 over method, subject, path and expiry. It fits
 * one method and one upload or blob. Immutable, thread-safe.
 */
public final class SignedUrls {
    private static final String ALGORITHM = "HmacSHA256";

    private final SecretKeySpec key;

    SignedUrls(byte[] secret) {
        if (secret.length < 32) {
            throw new IllegalArgumentException("a signing key has at least 32 bytes");
        }
        this.key = new SecretKeySpec(secret, ALGORITHM);
    }

    /**
     * The signature, 64 hex digits.
     *
     * @param subject the upload's id, or the blob's digest
     * @param expires seconds since the epoch
     */
    public String sign(String method, String subject, String path, long expires) {
        try {
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(key);
            // No signed part holds a line feed (paths cannot), so no two sets of parts give the same text.
            String text = String.join("\n", "plane-signed-url-v1", method, subject, path, Long.toString(expires));
            return HexFormat.of().formatHex(mac.doFinal(text.getBytes(StandardCharsets.UTF_8)));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java platform has HMAC-SHA-256", e);
        }
    }

    /** Whether the signature is right and the URL has not expired. */
    public boolean holds(String method, String subject, String path, long expires, String signature, Instant now) {
        byte[] wanted = sign(method, subject, path, expires).getBytes(StandardCharsets.US_ASCII);
        boolean right = MessageDigest.isEqual(wanted, signature.getBytes(StandardCharsets.UTF_8));
        return right && now.getEpochSecond() < expires;
    }
}
