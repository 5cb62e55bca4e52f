package io.aiel.plane.vocabulary;

import java.util.Locale;

/** What a principal may be within a tenant, as the default policy understands it. */
public enum Role {
    VIEWER,
    INVOKER,
    DEVELOPER,
    OPERATOR,
    AUDITOR,
    ADMIN;

    /** The lower-case name used in tokens, policies and answers. */
    public String wireName() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Reads {@link #wireName()}; throws {@link IllegalArgumentException} naming the known roles. */
    public static Role parse(String text) {
        for (Role role : values()) {
            if (role.wireName().equals(text)) {
                return role;
            }
        }
        throw new IllegalArgumentException(
                "unknown role; known are viewer, invoker, developer, operator, auditor, admin");
    }
}
