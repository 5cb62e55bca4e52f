package io.aiel.plane.audit;

import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ModelUse;
import io.aiel.plane.vocabulary.NetworkHost;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.ResolvedCapability;
import io.aiel.plane.vocabulary.Usage;
import java.time.Instant;
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

    /**
     * A caller asked; payloads enter as digests.
     *
     * @param replayOf the execution whose input this one runs again
     */
    record ExecutionRequested(
            ExecutionId execution,
            ProjectScope scope,
            ResolvedCapability target,
            String action,
            Optional<Digest> argumentsDigest,
            int timeoutMs,
            Optional<String> idempotencyKey,
            Optional<ExecutionId> replayOf)
            implements OfExecution {
        /** What is no replay. */
        public ExecutionRequested(
                ExecutionId execution,
                ProjectScope scope,
                ResolvedCapability target,
                String action,
                Optional<Digest> argumentsDigest,
                int timeoutMs,
                Optional<String> idempotencyKey) {
            this(execution, scope, target, action, argumentsDigest, timeoutMs, idempotencyKey, Optional.empty());
        }
    }

    /** The policy was asked; holds its full input, so that it can be asked again later under another policy. */
    record PolicyDecided(ExecutionId execution, Decision decision) implements OfExecution {}

    /** The policy allowed it and it will be handed to a worker. */
    record ExecutionAdmitted(ExecutionId execution) implements OfExecution {}

    /**
     * The policy allowed it and it waits in the queue; it is decided again before each start.
     *
     * @param readyAt before then it does not start
     * @param attemptsMax how often it is begun at most; 1 when the caller asked for no retry
     * @param callback the host that its end is told to, if any
     */
    record ExecutionQueued(
            ExecutionId execution, int priority, Instant readyAt, int attemptsMax, Optional<NetworkHost> callback)
            implements OfExecution {}

    /**
     * An attempt is over, and it goes back into the queue for another: as the caller asked, or because it did not run.
     *
     * @param attempt counted from 1
     * @param ran whether it may have run; one that did not is not counted
     * @param nextAt before then the next does not start
     */
    record ExecutionAttempted(
            ExecutionId execution,
            int attempt,
            boolean ran,
            String status,
            int httpStatus,
            String code,
            Usage usage,
            String workerId,
            Instant nextAt)
            implements OfExecution {}

    /** The policy denied it; the terminal record of a denied execution. */
    record ExecutionDenied(ExecutionId execution, String code, java.util.List<String> reasons) implements OfExecution {}

    /**
     * It ended; the terminal record of an admitted execution.
     *
     * @param status {@code succeeded}, {@code failed}, {@code timed_out}, {@code killed}, {@code cancelled},
     *     {@code dead_letter} (the last of several attempts failed) or {@code lost}
     * @param code the error code; empty text when it succeeded
     * @param outputProblems in how many places the result does not fit the capability's output schema
     * @param models what its code used of language models, through integrations
     */
    record ExecutionFinished(
            ExecutionId execution,
            String status,
            int httpStatus,
            String code,
            Optional<Digest> resultDigest,
            Usage usage,
            JsonText isolation,
            String workerId,
            int outputProblems,
            ModelUse models)
            implements OfExecution {
        /** An end whose result was not in question, and without the use of models. */
        public ExecutionFinished(
                ExecutionId execution,
                String status,
                int httpStatus,
                String code,
                Optional<Digest> resultDigest,
                Usage usage,
                JsonText isolation,
                String workerId) {
            this(execution, status, httpStatus, code, resultDigest, usage, isolation, workerId, 0, ModelUse.NONE);
        }
    }

    /**
     * The code of an execution asks the plane's own API for something that it may; on record before it is done.
     *
     * @param action such as {@code memory.write}
     * @param resource what it is about, as policies see it
     * @param decision what allowed it; empty where no policy is asked
     */
    record ExecutionCalled(ExecutionId execution, String action, String resource, Optional<Decision.Allow> decision)
            implements OfExecution {}

    /**
     * An action of an outside system that the code of an execution had called is over. The control stream has the call and its end as well
     * ({@link IntegrationCalled}, {@link IntegrationAnswered}).
     *
     * @param call id of the call
     * @param status {@code done}, {@code refused} or {@code unknown}
     * @param code the error code; empty text when it is done
     * @param durationMs from when it was on record that it would leave until its end was
     * @param models what the call used of a language model
     */
    record ExecutionAnswered(
            ExecutionId execution,
            String call,
            String connection,
            String action,
            String status,
            String code,
            Digest requestDigest,
            Optional<Digest> responseDigest,
            long durationMs,
            ModelUse models)
            implements OfExecution {}

    /**
     * An execution's connection to a named host is about to be made; on record before the first byte of it leaves.
     *
     * @param connection counts the execution's connections, from 1
     * @param scheme {@code https} or {@code http}
     * @param address the address that the name was resolved to, that was checked, and that is connected to
     */
    record EgressAllowed(ExecutionId execution, int connection, String host, int port, String scheme, String address)
            implements OfExecution {}

    /**
     * An execution asked for a connection that it may not have; nothing left.
     *
     * @param host what it asked for, as far as that could be read; else empty
     * @param port 0 when it could not be read
     * @param reason one of a short list of words, such as {@code not_granted}
     */
    record EgressRefused(ExecutionId execution, int connection, String host, int port, String reason, String detail)
            implements OfExecution {}

    /**
     * A connection that was allowed is over.
     *
     * @param reason how it ended, such as {@code done} or {@code execution_ended}
     */
    record EgressClosed(
            ExecutionId execution,
            int connection,
            String host,
            int port,
            String reason,
            long bytesSent,
            long bytesReceived,
            long openMs)
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

    /**
     * An action of an outside system is about to be called; on record before the first byte of it leaves.
     *
     * @param call id of the call
     * @param execution the execution whose code called it, if one did
     */
    record IntegrationCalled(
            String call,
            String connection,
            String action,
            Optional<ExecutionId> execution,
            Digest requestDigest,
            Optional<String> idempotencyKey)
            implements OfControl {}

    /**
     * A call that was about to be made is over.
     *
     * @param status {@code done}, {@code refused} or {@code unknown}
     * @param code the error code; empty text when it is done
     */
    record IntegrationAnswered(
            String call,
            String connection,
            String action,
            Optional<ExecutionId> execution,
            String status,
            String code,
            Optional<Digest> responseDigest)
            implements OfControl {}

    /** An action was asked for that the connection does not allow; nothing left. */
    record IntegrationRefused(String connection, String action, Optional<ExecutionId> execution, String code)
            implements OfControl {}
}
