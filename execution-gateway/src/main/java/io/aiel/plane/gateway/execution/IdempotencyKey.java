package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.ProjectId;

/**
 * A name that a caller gives a request, so that sending it again does not do it again (draft-ietf-httpapi-idempotency-key-header).
 * Each principal has names of its own in each project: nobody can get another's answer by guessing one.
 */
record IdempotencyKey(ProjectId project, PrincipalId principal, String text) {
    /** Of the text, in characters. */
    static final int CHARS_MAX = 255;

    /** Visible and short; what is wrong with it otherwise is said by {@link #RULE}. */
    static boolean isValid(String text) {
        return !text.isBlank() && text.length() <= CHARS_MAX && text.chars().noneMatch(Character::isISOControl);
    }

    /** What a key must be. */
    static final String RULE =
            "must have 1 to " + CHARS_MAX + " characters, not all of them blank, and none that controls";
}
