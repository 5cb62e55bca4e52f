package io.aiel.plane.gateway.memory;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;

/** The nearest of the vectors that one search has read so far; of equals, those that were read first. Not for two threads at once. */
final class Ranking {
    private static final Comparator<Near> NEAREST_FIRST =
            Comparator.comparingDouble(Near::score).reversed().thenComparingInt(Near::read);

    private final int limit;
    private final PriorityQueue<Near> kept;
    private int read;

    Ranking(int limit) {
        this.limit = limit;
        this.kept = new PriorityQueue<>(limit + 1, NEAREST_FIRST.reversed());
    }

    /**
     * One of them.
     *
     * @param read how many were read before it
     */
    record Near(String id, double score, int read) {}

    void add(String id, double score) {
        kept.add(new Near(id, score, read++));
        if (kept.size() > limit) {
            kept.remove();
        }
    }

    /** How many were compared. */
    int compared() {
        return read;
    }

    /** The nearest first. */
    List<Near> best() {
        List<Near> best = new ArrayList<>(kept);
        best.sort(NEAREST_FIRST);
        return best;
    }
}
