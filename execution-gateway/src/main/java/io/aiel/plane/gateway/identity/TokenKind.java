package io.aiel.plane.gateway.identity;

/** What a token is for; readable in the token's text, so that a leaked one can be told apart at a glance. */
public enum TokenKind {
    /** Carried by a user's tools. */
    USER("usr"),
    /** Carried by an application. */
    SERVICE("svc"),
    /** Of one running execution, and never stored. */
    EXECUTION("exe");

    private final String label;

    TokenKind(String label) {
        this.label = label;
    }

    /** Three lower-case letters, part of the token. */
    public String label() {
        return label;
    }

    static TokenKind parse(String label) {
        for (TokenKind kind : values()) {
            if (kind.label.equals(label)) {
                return kind;
            }
        }
        throw new IllegalArgumentException("unknown token kind");
    }
}
