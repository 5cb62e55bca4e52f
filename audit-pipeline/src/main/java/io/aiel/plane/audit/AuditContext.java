package io.aiel.plane.audit;

import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.WorkspaceId;
import java.util.Optional;

/**
 * What every event carries beside its own facts.
 *
 * @param principal who caused it; empty when the plane itself did
 * @param requestId the caller's {@code X-Request-Id} or ours
 * @param traceparent W3C trace context; empty text when none
 */
public record AuditContext(
        TenantId tenant,
        Optional<WorkspaceId> workspace,
        Optional<ProjectId> project,
        Optional<PrincipalId> principal,
        String requestId,
        String traceparent) {}
