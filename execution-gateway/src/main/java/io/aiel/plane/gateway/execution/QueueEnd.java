package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.JsonText;
import java.time.Instant;
import java.util.Optional;

/**
 * What becomes of queued work when its execution ends: its input is forgotten, its answer kept for a while.
 *
 * @param decision the one that it ended by instead of being run
 * @param expiresAt until when the answer is kept
 */
record QueueEnd(Optional<Decision> decision, JsonText envelope, Instant expiresAt) {}
