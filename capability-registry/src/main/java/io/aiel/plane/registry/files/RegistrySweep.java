package io.aiel.plane.registry.files;

import io.aiel.plane.registry.RegistryConfig;
import io.aiel.plane.registry.Transactions;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Observes;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.hibernate.reactive.mutiny.Mutiny;
import org.jboss.logging.Logger;

/**
 * Clears away uploads that are long over, with the bytes of those that nobody committed, and blobs that no file, no snapshot and no
 * upload refers to any more. Runs by a timer; at any time on one node only. Thread-safe.
 *
 * <p>A blob that somebody is about to refer to is safe: a commit needs an upload, whose row counts as a reference until after it
 * expired; a file that lets go of a blob starts the blob's time anew, which covers a seal under way; and blobs are locked first and
 * looked at again before they go, so that nobody can come in between.
 */
@ApplicationScoped
public class RegistrySweep {
    /** The advisory lock that the sweeping node holds. */
    public static final long LOCK = 0x706c_616e_6573_7770L;

    private static final Logger LOG = Logger.getLogger(RegistrySweep.class);
    private static final Duration BLOBS_AFTER_MIN = Duration.ofMinutes(5);
    private static final Duration AGAIN = Duration.ofSeconds(1);

    private static final String UNREFERENCED = """
            NOT EXISTS (SELECT 1 FROM project_files f WHERE f.digest = b.digest)
              AND NOT EXISTS (SELECT 1 FROM snapshot_files s WHERE s.digest = b.digest)
              AND NOT EXISTS (SELECT 1 FROM uploads u WHERE u.digest = b.digest AND u.state <> 'committed')
            """;

    private final Transactions transactions;
    private final RegistryConfig config;
    private final Vertx vertx;
    private final Duration abandonedAfter;
    private final AtomicBoolean running = new AtomicBoolean();
    private volatile long timer = -1;

    public RegistrySweep(Transactions transactions, RegistryConfig config, Vertx vertx) {
        // A seal may be reading a blob that its file let go of meanwhile.
        Duration least = config.validateTimeout().multipliedBy(2);
        Duration minimum = least.compareTo(BLOBS_AFTER_MIN) > 0 ? least : BLOBS_AFTER_MIN;
        if (config.sweepBlobsAfter().compareTo(minimum) < 0) {
            throw new IllegalArgumentException("plane.registry.sweep-blobs-after is " + config.sweepBlobsAfter()
                    + "; it must be at least " + minimum + ", because a seal under way may still read a blob");
        }
        // A download may have been signed just before a file let go of the same bytes.
        this.abandonedAfter = config.signedUrlTtl().compareTo(minimum) > 0 ? config.signedUrlTtl() : minimum;
        this.transactions = transactions;
        this.config = config;
        this.vertx = vertx;
    }

    /** How many rows one run removed. */
    public record Swept(int uploads, int blobs) {
        private static final Swept NOTHING = new Swept(0, 0);
    }

    void start(@Observes StartupEvent started) {
        timer = vertx.setPeriodic(config.sweepInterval().toMillis(), _ -> runQuietly());
    }

    void stop(@Observes ShutdownEvent stopping) {
        vertx.cancelTimer(timer);
    }

    private void runQuietly() {
        if (!running.compareAndSet(false, true)) {
            return;
        }
        run().onTermination()
                .invoke(() -> running.set(false))
                .subscribe()
                .with(this::swept, failure -> LOG.warnf("the sweep failed: %s", failure.toString()));
    }

    private void swept(Swept swept) {
        if (swept.uploads() > 0 || swept.blobs() > 0) {
            LOG.infof("swept uploads=%d blobs=%d", swept.uploads(), swept.blobs());
        }
        if (swept.uploads() >= config.sweepLimit() || swept.blobs() >= config.sweepLimit()) {
            vertx.setTimer(AGAIN.toMillis(), _ -> runQuietly());
        }
    }

    /** One run, of at most {@code plane.registry.sweep-limit} rows of each kind; nothing when another node is at it. */
    public Uni<Swept> run() {
        return transactions.run(session -> session.createNativeQuery(
                        "SELECT pg_try_advisory_xact_lock(:lock)", Boolean.class)
                .setParameter("lock", LOCK)
                .getSingleResult()
                .chain(ours -> ours ? sweep(session) : Uni.createFrom().item(Swept.NOTHING)));
    }

    private Uni<Swept> sweep(Mutiny.Session session) {
        return uploads(session)
                .chain(uploads -> abandoned(session, uploads)
                        .chain(abandoned -> unused(session, config.sweepLimit() - abandoned.size())
                                .map(unused -> Stream.concat(abandoned.stream(), unused.stream())
                                        .distinct()
                                        .toList()))
                        .chain(digests -> digests.isEmpty() ? Uni.createFrom().item(0) : remove(session, digests))
                        .map(blobs -> new Swept(uploads.size(), blobs)));
    }

    /** Gives the digests of those that were not committed, and an empty text for each of the others. */
    private Uni<List<String>> uploads(Mutiny.Session session) {
        return session.createNativeQuery("""
                        WITH gone AS (DELETE FROM uploads WHERE id IN (SELECT id FROM uploads
                            WHERE expires_at < clock_timestamp() - cast(:after as double precision) * interval '1 millisecond'
                            ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED) RETURNING state, digest)
                        SELECT CASE state WHEN 'stored' THEN digest ELSE '' END FROM gone
                        """, String.class)
                .setParameter("after", (double) config.sweepUploadsAfter().toMillis())
                .setParameter("limit", config.sweepLimit())
                .getResultList();
    }

    /** Of these, what nothing refers to any more: nobody asked for them to be kept, so they do not wait for as long as others. Locks them. */
    private Uni<List<String>> abandoned(Mutiny.Session session, List<String> digests) {
        String some = digests.stream().filter(digest -> !digest.isEmpty()).collect(Collectors.joining(","));
        if (some.isEmpty()) {
            return Uni.createFrom().item(List.of());
        }
        return session.createNativeQuery(
                        "SELECT digest FROM blobs b WHERE digest = ANY (string_to_array(:digests, ',')) AND stored_at < "
                                + "clock_timestamp() - cast(:after as double precision) * interval '1 millisecond' AND "
                                + UNREFERENCED + " FOR UPDATE OF b SKIP LOCKED",
                        String.class)
                .setParameter("digests", some)
                .setParameter("after", (double) abandonedAfter.toMillis())
                .getResultList();
    }

    /** Locks what it finds: from then on no file can begin to refer to these, and no upload can store them. */
    private Uni<List<String>> unused(Mutiny.Session session, int limit) {
        return session.createNativeQuery(
                        "SELECT digest FROM blobs b WHERE stored_at < clock_timestamp()"
                                + " - cast(:after as double precision) * interval '1 millisecond' AND "
                                + UNREFERENCED
                                + " ORDER BY stored_at LIMIT :limit FOR UPDATE OF b SKIP LOCKED",
                        String.class)
                .setParameter("after", (double) config.sweepBlobsAfter().toMillis())
                .setParameter("limit", limit)
                .getResultList();
    }

    /** A statement of its own, so that it sees what was committed until the locks were had. */
    private static Uni<Integer> remove(Mutiny.Session session, List<String> digests) {
        return session.createNativeQuery(
                        "DELETE FROM blobs b WHERE digest = ANY (string_to_array(:digests, ',')) AND " + UNREFERENCED)
                .setParameter("digests", String.join(",", digests))
                .executeUpdate();
    }
}
