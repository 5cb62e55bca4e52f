package io.aiel.plane.vocabulary;

import java.util.Locale;

/** What sort of actor a principal is. */
public enum PrincipalKind {
    USER,
    SERVICE,
    EXECUTION;

    /** The lower-case name used in policies, events and answers. */
    public String wireName() {
        return name().toLowerCase(Locale.ROOT);
    }
}
