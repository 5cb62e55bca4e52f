package io.aiel.plane.gateway.identity;

import io.aiel.plane.gateway.loops.EventLoops;
import io.smallrye.mutiny.Uni;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Remembers what a lookup found, for a time that is counted from before the lookup began, so that an answer is never older than
 * that. Concurrent lookups of one key are one. {@link #forgetAll()} is exact: a lookup that had begun before it is not
 * remembered. Absence is not remembered. Thread-safe.
 */
final class BriefCache<K, V> {
    private final Duration ttl;
    private final int max;
    private final LongSupplier nanoTime;
    private final ConcurrentHashMap<K, Entry<V>> entries = new ConcurrentHashMap<>();

    BriefCache(Duration ttl, int max, LongSupplier nanoTime) {
        this.ttl = ttl;
        this.max = max;
        this.nanoTime = nanoTime;
    }

    private static final class Entry<V> {
        private final long startedAt;
        private final Uni<Optional<V>> lookup;
        private volatile @Nullable V found;

        Entry(long startedAt, Uni<Optional<V>> lookup) {
            this.startedAt = startedAt;
            this.lookup = lookup.onItem()
                    .invoke(value -> this.found = value.orElse(null))
                    .memoize()
                    .indefinitely();
        }
    }

    /** What is known of {@code key}, or what {@code lookup} finds. The answer arrives on the caller's own event loop. */
    Uni<Optional<V>> get(K key, Function<K, Uni<Optional<V>>> lookup) {
        long now = nanoTime.getAsLong();
        Entry<V> known = entries.get(key);
        if (known == null || now - known.startedAt > ttl.toNanos()) {
            if (entries.size() >= max) {
                makeRoom(now);
            }
            Entry<V> fresh = new Entry<>(now, lookup.apply(key));
            Entry<V> raced = known == null
                    ? entries.putIfAbsent(key, fresh)
                    : (entries.replace(key, known, fresh) ? null : entries.get(key));
            known = raced == null ? fresh : raced;
        }
        V found = known.found;
        if (found != null) {
            return Uni.createFrom().item(Optional.of(found));
        }
        Entry<V> asked = known;
        Uni<Optional<V>> answer = asked.lookup
                .onItem()
                .invoke(value -> {
                    if (value.isEmpty()) {
                        entries.remove(key, asked);
                    }
                })
                .onFailure()
                .invoke(() -> entries.remove(key, asked));
        return EventLoops.goOnHere(answer);
    }

    /** What is remembered of {@code key}; looks nothing up. */
    Optional<V> known(K key) {
        Entry<V> known = entries.get(key);
        return known == null || nanoTime.getAsLong() - known.startedAt > ttl.toNanos()
                ? Optional.empty()
                : Optional.ofNullable(known.found);
    }

    /** Forgets everything, lookups under way included. */
    void forgetAll() {
        entries.clear();
    }

    int size() {
        return entries.size();
    }

    private void makeRoom(long now) {
        entries.values().removeIf(entry -> now - entry.startedAt > ttl.toNanos());
        if (entries.size() >= max) {
            entries.clear();
        }
    }

    @Override
    public String toString() {
        return "BriefCache(" + Objects.toString(ttl) + ", " + entries.size() + " entries)";
    }
}
