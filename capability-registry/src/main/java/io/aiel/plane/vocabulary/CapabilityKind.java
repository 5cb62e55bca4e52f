package io.aiel.plane.vocabulary;

import java.util.Locale;

/** The six kinds of thing that a snapshot can export. */
public enum CapabilityKind {
    TOOL,
    AGENT,
    FLOW,
    ROUTER,
    HTTP,
    MCP;

    /** The lower-case name used on the wire. */
    public String wireName() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Reads {@link #wireName()}; throws {@link IllegalArgumentException} naming the known kinds. */
    public static CapabilityKind parse(String text) {
        for (CapabilityKind kind : values()) {
            if (kind.wireName().equals(text)) {
                return kind;
            }
        }
        throw new IllegalArgumentException("unknown kind; known are tool, agent, flow, router, http, mcp");
    }
}
