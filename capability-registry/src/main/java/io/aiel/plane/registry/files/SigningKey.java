package io.aiel.plane.registry.files;

import io.aiel.plane.registry.RegistryRefusal;
import io.aiel.plane.registry.Transactions;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import java.security.SecureRandom;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * The installation's key for signed URLs: made by the first node that needs it, kept in the database, the same for all nodes.
 * Thread-safe.
 */
@ApplicationScoped
public class SigningKey {
    private static final String NAME = "signed-urls-1";

    private final Transactions transactions;
    private final SecureRandom random = new SecureRandom();
    private final AtomicReference<@Nullable SignedUrls> known = new AtomicReference<>();

    public SigningKey(Transactions transactions) {
        this.transactions = transactions;
    }

    /** The signer; reads the key on first use. */
    public Uni<SignedUrls> urls() {
        @Nullable SignedUrls have = known.get();
        return have == null ? read() : Uni.createFrom().item(have);
    }

    private Uni<SignedUrls> read() {
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
