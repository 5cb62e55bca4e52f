package io.aiel.plane.registry;

import io.aiel.plane.vocabulary.PrincipalId;
import java.util.Optional;

/**
 * On whose account something changes.
 *
 * @param principal who; empty when the plane itself
 * @param requestId the request that led to it
 * @param traceparent W3C trace context; empty text when none
 */
public record Cause(Optional<PrincipalId> principal, String requestId, String traceparent) {}
