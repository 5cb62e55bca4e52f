package io.aiel.plane.gateway.overload;

import java.util.HashMap;
import java.util.Map;

/**
 * A fixed amount of something, places or bytes, that holders share. A holder gets more as long as it would not have more than is free. So one
 * alone has half (and one part more at most), several leave as much free as each of them has, and whoever has nothing yet finds something as long as
 * anything is left. Remembers only who holds something. Thread-safe; waits for nothing, and calls nothing foreign.
 *
 * @param <H> who holds; such as a project's id
 */
public final class Shares<H> {
    private final long total;
    private final Map<H, Long> held = new HashMap<>();
    private long free;

    public Shares(long total) {
        this.total = total;
        this.free = total;
    }

    /** What becomes of who wants some. */
    public enum Answer {
        /** It has it, and gives it back. */
        TAKEN,
        /** It has some already, and would have more than is free. */
        HAS_ITS_SHARE,
        /** It has nothing, and so much is not free. */
        NOT_FREE
    }

    /** Takes so much, all or nothing. */
    public synchronized Answer take(H holder, long amount) {
        long has = held.getOrDefault(holder, 0L);
        if (has + amount > free) {
            return has > 0 ? Answer.HAS_ITS_SHARE : Answer.NOT_FREE;
        }
        if (amount > 0) {
            held.put(holder, has + amount);
        }
        free -= amount;
        return Answer.TAKEN;
    }

    /** Gives back what was taken. Throws {@link IllegalStateException} for more than the holder has. */
    public synchronized void giveBack(H holder, long amount) {
        long left = held.getOrDefault(holder, 0L) - amount;
        if (left < 0) {
            throw new IllegalStateException("more is given back than was taken");
        }
        if (left == 0) {
            held.remove(holder);
        } else {
            held.put(holder, left);
        }
        free += amount;
    }

    /** What all hold together. */
    public synchronized long held() {
        return total - free;
    }

    /** How many hold something. */
    public synchronized int holders() {
        return held.size();
    }
}
