package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.JsonText;

/** What becomes of an execution's idempotency key when the execution ends; takes effect with the closure that carries it. */
sealed interface KeyEnd {
    IdempotencyKey key();

    /** Whoever asks with it again gets this answer. */
    record Answered(IdempotencyKey key, int httpStatus, JsonText envelope) implements KeyEnd {}

    /** Nothing ran, so it is as if the key had not been used. */
    record Released(IdempotencyKey key) implements KeyEnd {}
}
