package io.aiel.plane.audit;

import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.ResolvedCapability;
import io.aiel.plane.vocabulary.Usage;
import java.util.Map;
import java.util.Optional;

/** Everything that the plane records, in the past tense. One sealed file, so that a reader sees all that can happen. */
public sealed interface AuditEvent {
    /** An event of one execution's stream. */
    sealed interface OfExecution extends AuditEvent {
        ExecutionId execution();
    }

    /** An event of a tenant's control stream. */
    sealed interface OfControl extends AuditEvent {}

    /** A caller asked; payloads enter as digests. */
    record ExecutionRequested(
            ExecutionId execution,
            ProjectScope scope,
            ResolvedCapability target,
            String action,
            Optional<Digest> argumentsDigest,
            int timeoutMs,
            Optional<String> idempotencyKey)
            implements OfExecution {}

    /** The policy was asked; holds its full input, so that it can be asked again later under another policy. */
    record PolicyDecided(ExecutionId execution, Decision decision) implements OfExecution {}

    /** The policy allowed it and it will be handed to a worker. */
    record ExecutionAdmitted(ExecutionId execution) implements OfExecution {}

    /** The policy denied it; the terminal record of a denied execution. */
    record ExecutionDenied(ExecutionId execution, String code, java.util.List<String> reasons) implements OfExecution {}

    /**
     * It ended; the terminal record of an admitted execution.
     *
     * @param status {@code succeeded}, {@code failed}, {@code timed_out}, {@code killed}, {@code cancelled} or {@code lost}
     * @param code the error code; empty text when it succeeded
     */
    record ExecutionFinished(
            ExecutionId execution,
            String status,
            int httpStatus,
            String code,
            Optional<Digest> resultDigest,
            Usage usage,
            JsonText isolation,
            String workerId)
            implements OfExecution {}

    /** Something was created, changed or removed through the control plane, such as {@code token.created}. */
    record ControlChanged(String what, String subjectId, Map<String, String> facts) implements OfControl {}

    /** A call other than an execution was refused by the policy. */
    record AccessDenied(String action, String resource, Decision decision) implements OfControl {}

    /** A snapshot was sealed and validated, or rejected. */
    record SnapshotSealed(ProjectScope scope, Digest snapshot, String snapshotId, boolean valid, int findings)
            implements OfControl {}

    /** A snapshot became current in an environment. */
    record SnapshotDeployed(ProjectScope scope, Digest snapshot, String environment, String deploymentId)
            implements OfControl {}

    /** Somebody read the audit log. */
    record AuditRead(String query, int records) implements OfControl {}
}
