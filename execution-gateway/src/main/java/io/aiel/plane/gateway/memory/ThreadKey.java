package io.aiel.plane.gateway.memory;

import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ProjectScope;

/** The caller's own name of a thread, trimmed: 1 to 512 characters. */
record ThreadKey(String value) {
    private static final int CHARACTERS_MAX = 512;

    /** Reads one out of a path; throws the {@link Refusal} that says what is wrong. */
    static ThreadKey of(String sent) {
        String key = sent.strip();
        int characters = key.codePointCount(0, key.length());
        if (characters < 1 || characters > CHARACTERS_MAX) {
            throw Refusal.invalid(
                    "path:thread_key", "needs 1 to " + CHARACTERS_MAX + " characters, spaces around it not counted");
        }
        return new ThreadKey(key);
    }

    /** The thread's own id, the same before and after it is written: of this project and no other. */
    String id(ProjectScope scope) {
        return MemoryIds.of(MemoryIds.THREAD, scope, value);
    }
}
