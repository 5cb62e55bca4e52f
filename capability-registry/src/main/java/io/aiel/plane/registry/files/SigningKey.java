package io.aiel.plane.registry.files;

import io.aiel.plane.registry.RegistryConfig;
import io.aiel.plane.registry.RegistryRefusal;
import io.aiel.plane.registry.Transactions;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The installation's key for signed URLs, the same for all nodes: the configured one, which no backup of the database holds. Where none
 * is configured, the first node that needs one makes it and keeps it in the database. Thread-safe.
 */
@ApplicationScoped
public class SigningKey {
    private static final String NAME = "signed-urls-1";
    private static final Pattern FORM = Pattern.compile("[0-9a-fA-F]{64}");

    private final Transactions transactions;
    private final Optional<String> configured;
    private final SecureRandom random = new SecureRandom();
    private final AtomicReference<@Nullable SignedUrls> known = new AtomicReference<>();

    public SigningKey(Transactions transactions, RegistryConfig config) {
        this.transactions = transactions;
        this.configured = config.signingKey();
        configured.filter(key -> !FORM.matcher(key).matches()).ifPresent(_ -> {
            throw new IllegalArgumentException(
                    "plane.registry.signing-key must be 64 hex digits, the same for all nodes; openssl rand -hex 32 makes one");
        });
    }

    /** The signer; reads the key on first use. */
    public Uni<SignedUrls> urls() {
        @Nullable SignedUrls have = known.get();
        return have == null ? read() : Uni.createFrom().item(have);
    }

    private Uni<SignedUrls> read() {
        if (configured.isPresent()) {
            SignedUrls urls = new SignedUrls(HexFormat.of().parseHex(configured.get()));
            known.set(urls);
            return Uni.createFrom().item(urls);
        }
        byte[] fresh = new byte[32];
        random.nextBytes(fresh);
        return transactions
                .run(session -> session.createNativeQuery(
                                "INSERT INTO registry_keys (id, secret) VALUES (:id, :secret) ON CONFLICT (id) DO NOTHING")
                        .setParameter("id", NAME)
                        .setParameter("secret", fresh)
                        .executeUpdate()
                        .chain(() -> session.createQuery(
                                        "select k.secret from KeyEntity k where k.id = :id", byte[].class)
                                .setParameter("id", NAME)
                                .getSingleResultOrNull()))
                .map(secret -> new SignedUrls(Optional.ofNullable(secret).orElseThrow(RegistryRefusal::notFound)))
                .invoke(known::set);
    }
}
