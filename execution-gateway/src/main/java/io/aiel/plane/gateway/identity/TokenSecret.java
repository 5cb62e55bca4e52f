package io.aiel.plane.gateway.identity;

import io.aiel.plane.vocabulary.Digest;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32;

/**
 * The text of a token, {@code aielp_<kind>_<30 base62><6 base62 CRC32>}. The only place where it exists in clear is the memory
 * of the call that makes or presents it: it is stored and looked up as its SHA-256. A plain hash is enough, because the text
 * holds 178 random bits: nobody can try them all, however fast the hash. The checksum lets a typing mistake or a random text be
 * refused before the database is asked, and lets scanners recognise a leaked token.
 *
 * <p>Immutable. {@link #toString()} shows the kind only.
 */
public final class TokenSecret {
    private static final String ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    private static final int RANDOM_LENGTH = 30;
    private static final int CHECKSUM_LENGTH = 6;
    private static final Pattern FORM = Pattern.compile("(aielp_([a-z]{3})_[0-9A-Za-z]{30})([0-9A-Za-z]{6})");
    private static final SecureRandom RANDOM = new SecureRandom();

    private final TokenKind kind;
    private final String text;

    private TokenSecret(TokenKind kind, String text) {
        this.kind = kind;
        this.text = text;
    }

    /** A new token from the platform's secure source of randomness. */
    public static TokenSecret mint(TokenKind kind) {
        StringBuilder text = new StringBuilder("aielp_").append(kind.label()).append('_');
        for (int i = 0; i < RANDOM_LENGTH; i++) {
            text.append(ALPHABET.charAt(RANDOM.nextInt(ALPHABET.length())));
        }
        return new TokenSecret(kind, text + checksum(text.toString()));
    }

    /** Reads what a caller sent; empty when it cannot be one of our tokens. */
    public static Optional<TokenSecret> parse(String sent) {
        Matcher form = FORM.matcher(sent);
        if (!form.matches() || !checksum(form.group(1)).equals(form.group(3))) {
            return Optional.empty();
        }
        for (TokenKind kind : TokenKind.values()) {
            if (kind.label().equals(form.group(2))) {
                return Optional.of(new TokenSecret(kind, sent));
            }
        }
        return Optional.empty();
    }

    /** What it is for. */
    public TokenKind kind() {
        return kind;
    }

    /** What is stored and looked up. */
    public Digest hash() {
        return Digest.of(text.getBytes(StandardCharsets.US_ASCII));
    }

    /** The token itself: to be shown once to the one who asked for it, and never to be stored or logged. */
    public String reveal() {
        return text;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof TokenSecret secret && secret.text.equals(text);
    }

    @Override
    public int hashCode() {
        return text.hashCode();
    }

    @Override
    public String toString() {
        return "TokenSecret(" + kind + ", redacted)";
    }

    private static String checksum(String body) {
        CRC32 crc = new CRC32();
        crc.update(body.getBytes(StandardCharsets.US_ASCII));
        long rest = crc.getValue();
        char[] digits = new char[CHECKSUM_LENGTH];
        for (int i = CHECKSUM_LENGTH - 1; i >= 0; i--) {
            digits[i] = ALPHABET.charAt((int) (rest % ALPHABET.length()));
            rest /= ALPHABET.length();
        }
        return new String(digits);
    }
}
