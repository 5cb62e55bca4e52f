package io.aiel.plane.gateway.integration;

import io.netty.buffer.ByteBuf;

/**
 * Looks through what a server says for a SCRAM server's first message ({@code r=…,s=…,i=…}, RFC 5802) that asks for too many iterations: each is two
 * hashes, done where other connections wait, and no client in use here has a limit of its own. Those clients take the members in any order and all
 * that {@link Integer#parseInt} takes for the count. Not thread-safe; one for each connection.
 */
final class IterationsScan {
    /** RFC 5802 asks for 4,096 or more; servers for ten thousand or so. */
    static final int ITERATIONS_MAX = 100_000;

    private enum Seen {
        NOTHING,
        /** {@code i} */
        NAME,
        /** {@code i=} and perhaps digits */
        MEMBER
    }

    private Seen seen = Seen.NOTHING;
    private long count;
    /** There was a sign or a digit. */
    private boolean begun;

    /** Whether it does so in these bytes, or in these and those before. */
    boolean asksForTooMuch(ByteBuf bytes) {
        return bytes.forEachByte(one -> !isTooMuch(one)) >= 0;
    }

    private boolean isTooMuch(byte one) {
        if (seen == Seen.MEMBER) {
            if (one >= '0' && one <= '9') {
                begun = true;
                count = count * 10 + (one - '0');
                return count > ITERATIONS_MAX;
            }
            if (one < 0) {
                // Part of a digit of another script.
                return true;
            }
            if (one == '+' && !begun) {
                begun = true;
                return false;
            }
        }
        if (one == 'i') {
            seen = Seen.NAME;
        } else if (one == '=' && seen == Seen.NAME) {
            seen = Seen.MEMBER;
            count = 0;
            begun = false;
        } else {
            seen = Seen.NOTHING;
        }
        return false;
    }
}
