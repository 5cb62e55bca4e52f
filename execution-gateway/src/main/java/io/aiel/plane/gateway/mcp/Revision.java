package io.aiel.plane.gateway.mcp;

import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** The revisions of the protocol that are spoken here, oldest first. */
enum Revision {
    R2025_03_26("2025-03-26"),
    R2025_06_18("2025-06-18"),
    R2025_11_25("2025-11-25"),
    R2026_07_28("2026-07-28");

    /** What is offered to a client whose {@code initialize} asks for a revision that is not known here. */
    static final Revision LATEST_WITH_HANDSHAKE = R2025_11_25;

    private final String wireName;

    Revision(String wireName) {
        this.wireName = wireName;
    }

    /** As it stands in {@code MCP-Protocol-Version}. */
    String wireName() {
        return wireName;
    }

    /** Whether a client of this revision begins with {@code initialize}; later ones say with each request what they speak. */
    boolean hasHandshake() {
        return compareTo(LATEST_WITH_HANDSHAKE) <= 0;
    }

    /** The revision of this name, if it is spoken here. */
    static Optional<Revision> parse(String text) {
        return Stream.of(values()).filter(one -> one.wireName.equals(text)).findFirst();
    }

    /** All names, newest first. */
    static List<String> supported() {
        return Stream.of(values()).map(Revision::wireName).toList().reversed();
    }
}
