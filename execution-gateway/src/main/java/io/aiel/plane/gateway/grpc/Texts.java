package io.aiel.plane.gateway.grpc;

import io.aiel.plane.gateway.http.Refusal;
import java.util.Optional;

/** Texts that callers look for something by. In protobuf, one that is empty is one that is not there. */
final class Texts {
    private static final int CHARACTERS_MAX = 512;

    private Texts() {}

    /** Throws a {@link Refusal} for what no database takes and no name is. */
    static Optional<String> given(String field, String text) {
        if (text.length() > CHARACTERS_MAX || text.indexOf('\0') >= 0) {
            throw Refusal.invalid(field, "must have at most " + CHARACTERS_MAX + " characters, none of them NUL");
        }
        return text.isEmpty() ? Optional.empty() : Optional.of(text);
    }
}
