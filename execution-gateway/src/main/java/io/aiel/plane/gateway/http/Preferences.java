package io.aiel.plane.gateway.http;

import java.util.List;
import java.util.Locale;

/** Reads the header {@code Prefer} (RFC 7240). What is not known there is ignored, as section 2 wants it. Stateless. */
final class Preferences {
    /** The header's name. */
    static final String HEADER = "Prefer";

    /** The header that says which preferences were honoured. */
    static final String APPLIED = "Preference-Applied";

    /** The preference of section 4.1. */
    static final String RESPOND_ASYNC = "respond-async";

    private static final int CHARS_MAX = 1_000;

    private Preferences() {}

    /** Whether an answer before the end is preferred; {@code sent} are the values of all such headers. */
    static boolean respondAsync(List<String> sent) {
        return sent.stream().filter(value -> value.length() <= CHARS_MAX).anyMatch(Preferences::names);
    }

    /** A comma or semicolon in quotes belongs to a value, and no value makes this preference. */
    private static boolean names(String value) {
        String unquoted = value.replaceAll("\"(?:[^\"\\\\]|\\\\.)*\"", "");
        for (String preference : unquoted.split(",", -1)) {
            String name = preference.split(";", 2)[0].strip();
            if (name.toLowerCase(Locale.ROOT).equals(RESPOND_ASYNC)) {
                return true;
            }
        }
        return false;
    }
}
