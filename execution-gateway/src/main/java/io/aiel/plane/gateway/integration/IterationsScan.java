package io.aiel.plane.gateway.integration;

import io.netty.buffer.ByteBuf;

/**
 * Looks through what a server says for a SCRAM server's first message ({@code r=…,s=…,i=…}, RFC 5802) that asks for a million iterations or more:
 * each is two hashes, done where other connections wait, and no client in use here has a limit of its own. Not thread-safe; one for each connection.
 */
final class IterationsScan {
    /** More digits than a count of iterations has that is meant; RFC 5802 says ten thousand or so. */
    private static final int DIGITS_MAX = 6;

    /** What was seen last of {@code ,i=} and digits behind it. */
    private int seen;

    /** Whether it does so in these bytes, or in these and those before. */
    boolean asksForTooMuch(ByteBuf bytes) {
        return bytes.forEachByte(one -> {
                    seen = switch (one) {
                        case ',' -> 1;
                        case 'i' -> seen == 1 ? 2 : 0;
                        case '=' -> seen == 2 ? 3 : 0;
                        default -> seen >= 3 && one >= '0' && one <= '9' ? seen + 1 : 0;
                    };
                    return seen <= 3 + DIGITS_MAX;
                })
                >= 0;
    }
}
