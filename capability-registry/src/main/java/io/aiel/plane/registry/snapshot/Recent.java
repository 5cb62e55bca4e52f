package io.aiel.plane.registry.snapshot;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** A bounded map that forgets what was used longest ago. Thread-safe. */
final class Recent<K, V> {
    private final Map<K, V> entries;

    Recent(int max) {
        entries = new LinkedHashMap<>(16, 0.75f, true) {
            private static final long serialVersionUID = 1L;

            @Override
            protected boolean removeEldestEntry(Map.Entry<K, V> eldest) {
                return size() > max;
            }
        };
    }

    synchronized Optional<V> get(K key) {
        return Optional.ofNullable(entries.get(key));
    }

    synchronized void put(K key, V value) {
        entries.put(key, value);
    }

    synchronized void removeIf(java.util.function.Predicate<K> gone) {
        entries.keySet().removeIf(gone);
    }
}
