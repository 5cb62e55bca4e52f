package io.aiel.plane.audit;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Positions of outbox rows that are published and not marked as that, in the order of publishing. Marking waits because most rows
 * are deleted by the sink meanwhile, and a mark on a row that is about to be deleted is written for nothing. Not thread-safe: the
 * relay's own thread alone uses it.
 */
final class UnmarkedRows {
    /** How long the sink is given to delete a published row before the row is marked. */
    static final Duration MARK_AFTER = Duration.ofSeconds(2);

    // Each position with the time of publishing.
    private final Map<Long, Long> published = new LinkedHashMap<>();
    private final int kept;

    /**
     * @param kept so many wait at most; each round of the relay compares each row with them
     */
    UnmarkedRows(int kept) {
        this.kept = kept;
    }

    void add(List<Long> positions, long now) {
        positions.forEach(position -> published.put(position, now));
    }

    /**
     * What has waited long enough, and the oldest of what is more than may wait: of those the sink has most likely deleted most,
     * and of the latest none.
     */
    List<Long> due(long now) {
        long before = now - MARK_AFTER.toNanos();
        int tooMany = published.size() - kept;
        List<Long> due = new ArrayList<>();
        Iterator<Map.Entry<Long, Long>> oldest = published.entrySet().iterator();
        while (oldest.hasNext()) {
            Map.Entry<Long, Long> row = oldest.next();
            if (due.size() >= tooMany && row.getValue() - before >= 0) {
                break;
            }
            due.add(row.getKey());
        }
        return due;
    }

    List<Long> all() {
        return List.copyOf(published.keySet());
    }

    /** These are marked. */
    void remove(List<Long> positions) {
        positions.forEach(published::remove);
    }

    void clear() {
        published.clear();
    }
}
