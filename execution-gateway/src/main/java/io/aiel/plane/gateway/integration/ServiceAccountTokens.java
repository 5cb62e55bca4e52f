package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.aiel.plane.gateway.integration.OutboundHttp.Sent;
import io.smallrye.mutiny.Uni;
import io.vertx.core.buffer.Buffer;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.InvalidKeyException;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.interfaces.RSAPrivateCrtKey;
import java.security.interfaces.RSAPrivateKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Tokens of service accounts: a signed assertion is changed into one (RFC 7523, as Google does it), which is kept until shortly before it
 * ends. The private key leaves only as signatures. Thread-safe.
 */
final class ServiceAccountTokens {
    private static final Duration ASSERTED = Duration.ofHours(1);
    private static final Duration RENEWED_BEFORE = Duration.ofMinutes(2);
    private static final int KEPT_MAX = 256;
    private static final int KEY_BITS_MIN = 2_048;

    /** What a signature costs grows with the cube of it. */
    private static final int KEY_BITS_MAX = 4_096;

    private static final Base64.Encoder URL = Base64.getUrlEncoder().withoutPadding();
    private static final JsonMapper JSON = JsonMapper.builder().build();

    private final OutboundHttp http;
    private final Clock clock;

    /** The least recently used goes first. */
    private final Map<String, Kept> kept = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Kept> eldest) {
            return size() > KEPT_MAX;
        }
    };

    ServiceAccountTokens(OutboundHttp http, Clock clock) {
        this.http = http;
        this.clock = clock;
    }

    private record Kept(String token, Instant until) {
        @Override
        public String toString() {
            return "Kept(" + until + ")";
        }
    }

    /**
     * An account.
     *
     * @param privateKey PKCS 8 as PEM
     * @param tokenUrl the whole URL
     */
    record Account(String email, String privateKey, String tokenUrl, BaseUrl tokenHost, String scope) {
        String key() {
            try {
                byte[] whole =
                        String.join("\n", email, privateKey, tokenUrl, scope).getBytes(StandardCharsets.UTF_8);
                return HexFormat.of()
                        .formatHex(MessageDigest.getInstance("SHA-256").digest(whole));
            } catch (GeneralSecurityException e) {
                throw new IllegalStateException(e);
            }
        }

        @Override
        public String toString() {
            return "Account(" + tokenHost.origin() + ")";
        }
    }

    /** A token; fails with {@link RequestRefused}, also when the exchange does not answer: nothing was asked of the system itself by then. */
    Uni<String> token(Account account, Duration timeout) {
        Instant now = clock.instant();
        Optional<String> held = held(account.key(), now);
        if (held.isPresent()) {
            return Uni.createFrom().item(held.get());
        }
        return http.send(request(account, now), timeout).map(sent -> taken(account, sent, now));
    }

    /** Forgets a token that was not accepted. */
    void forget(Account account) {
        synchronized (kept) {
            kept.remove(account.key());
        }
    }

    private Optional<String> held(String key, Instant now) {
        synchronized (kept) {
            @Nullable Kept one = kept.get(key);
            return one == null || !now.isBefore(one.until()) ? Optional.empty() : Optional.of(one.token());
        }
    }

    private static OutboundRequest request(Account account, Instant now) {
        String form = "grant_type=" + RequestPath.encoded("urn:ietf:params:oauth:grant-type:jwt-bearer") + "&assertion="
                + assertion(account, now);
        String path = account.tokenHost().path();
        return new OutboundRequest(
                "POST",
                account.tokenHost(),
                path.isEmpty() ? "/" : path,
                Map.of("content-type", "application/x-www-form-urlencoded", "accept", "application/json"),
                Optional.of(Buffer.buffer(form)));
    }

    private static String assertion(Account account, Instant now) {
        String head = JsonNodeFactory.instance
                .objectNode()
                .put("alg", "RS256")
                .put("typ", "JWT")
                .toString();
        String claims = JsonNodeFactory.instance
                .objectNode()
                .put("iss", account.email())
                .put("scope", account.scope())
                .put("aud", account.tokenUrl())
                .put("iat", now.getEpochSecond())
                .put("exp", now.plus(ASSERTED).getEpochSecond())
                .toString();
        String signed = URL.encodeToString(head.getBytes(StandardCharsets.UTF_8)) + "."
                + URL.encodeToString(claims.getBytes(StandardCharsets.UTF_8));
        try {
            Signature signature = Signature.getInstance("SHA256withRSA");
            signature.initSign(key(account.privateKey()));
            signature.update(signed.getBytes(StandardCharsets.US_ASCII));
            return signed + "." + URL.encodeToString(signature.sign());
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            // Without its cause: the texts of such failures can show what they could not read.
            throw new RequestRefused(
                    "invalid_auth",
                    409,
                    "the connection's private_key is none: give it as PEM, as in the service account's file");
        }
    }

    private static PrivateKey key(String pem) throws GeneralSecurityException {
        String body = pem.replaceAll("-----(BEGIN|END) PRIVATE KEY-----", "").replaceAll("\\s", "");
        PrivateKey key = KeyFactory.getInstance("RSA")
                .generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(body)));
        if (!(key instanceof RSAPrivateKey rsa)) {
            throw new InvalidKeyException();
        }
        int bits = rsa.getModulus().bitLength();
        if (bits < KEY_BITS_MIN || bits > KEY_BITS_MAX) {
            throw new RequestRefused(
                    "invalid_auth",
                    409,
                    "the connection's private_key has " + bits + " bits: give an RSA key of " + KEY_BITS_MIN + " to "
                            + KEY_BITS_MAX);
        }
        // Those of a real key are no longer than its modulus; of others they alone would make a signature take minutes.
        if (parts(rsa).anyMatch(part -> part.bitLength() > bits)) {
            throw new InvalidKeyException();
        }
        return key;
    }

    private static Stream<BigInteger> parts(RSAPrivateKey key) {
        return key instanceof RSAPrivateCrtKey crt
                ? Stream.of(
                        crt.getPrivateExponent(),
                        crt.getPublicExponent(),
                        crt.getPrimeP(),
                        crt.getPrimeQ(),
                        crt.getPrimeExponentP(),
                        crt.getPrimeExponentQ(),
                        crt.getCrtCoefficient())
                : Stream.of(key.getPrivateExponent());
    }

    private String taken(Account account, Sent sent, Instant now) {
        return switch (sent) {
            case Sent.NotSent(var code, var why, var status) ->
                throw new RequestRefused(
                        code, status, "the token of the service account could not be asked for: " + why);
            case Sent.Lost _, Sent.Broken _ ->
                throw new RequestRefused(
                        "unreachable", 502, "no token for the service account came in time; try again");
            case Sent.Answered answer when answer.status() == 200 -> keep(account, answer.body(), now);
            case Sent.Answered answer
            when answer.status() == 429 || answer.status() >= 500 ->
                throw new RequestRefused(
                        "unreachable", 502, "no token for the service account was given at the moment; try again");
            case Sent.Answered _ ->
                throw new RequestRefused(
                        "invalid_auth",
                        409,
                        "the service account was not accepted; renew the connection's credentials");
        };
    }

    private String keep(Account account, Buffer body, Instant now) {
        String token;
        long seconds;
        try {
            JsonNode answer = JSON.readTree(body.getBytes());
            token = answer.path("access_token").asText();
            seconds = answer.path("expires_in").asLong();
        } catch (IOException e) {
            token = "";
            seconds = 0;
        }
        if (token.isEmpty()) {
            throw new RequestRefused(
                    "bad_answer", 502, "where tokens of service accounts are made there was no token in the answer");
        }
        Duration lasts =
                Duration.ofSeconds(Math.clamp(seconds, 0, ASSERTED.toSeconds())).minus(RENEWED_BEFORE);
        synchronized (kept) {
            kept.put(account.key(), new Kept(token, now.plus(lasts)));
        }
        return token;
    }
}
