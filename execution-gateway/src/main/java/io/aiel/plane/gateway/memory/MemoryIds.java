package io.aiel.plane.gateway.memory;

import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ProjectScope;

/** Ids that follow from what they name, so that one statement finds the row or makes it. */
final class MemoryIds {
    private static final int HEX_DIGITS = 32;

    /** Of a thread. */
    static final String THREAD = "thr";

    private MemoryIds() {}

    /**
     * An id of this project. The project is part of what is digested: the same name in two projects has two ids, so that a statement that forgot
     * to ask for the project would find nothing of another.
     */
    static String of(String prefix, ProjectScope scope, String name) {
        String named =
                prefix + '\0' + scope.tenant().value() + '\0' + scope.project().value() + '\0' + name;
        return prefix + "_" + Digest.of(named).hex().substring(0, HEX_DIGITS);
    }

    /** Which of the rows of {@code memory_usage} counts what has this id. */
    static String shard(String id) {
        return id.substring(id.length() - 1);
    }
}
