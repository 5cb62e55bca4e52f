package io.aiel.plane.audit;

import java.util.List;

/** The CloudEvents {@code type} of each event, one constant each; past tense, versioned, never reused with another meaning. */
public final class EventTypes {
    public static final String EXECUTION_REQUESTED = "io.aiel.plane.execution.requested.v1";
    public static final String POLICY_DECIDED = "io.aiel.plane.policy.decided.v1";
    public static final String EXECUTION_ADMITTED = "io.aiel.plane.execution.admitted.v1";
    public static final String EXECUTION_QUEUED = "io.aiel.plane.execution.queued.v1";
    public static final String EXECUTION_ATTEMPTED = "io.aiel.plane.execution.attempted.v1";
    public static final String EXECUTION_DENIED = "io.aiel.plane.execution.denied.v1";
    public static final String EXECUTION_FINISHED = "io.aiel.plane.execution.finished.v1";
    public static final String EXECUTION_CALLED = "io.aiel.plane.execution.called.v1";
    public static final String EXECUTION_ANSWERED = "io.aiel.plane.execution.answered.v1";
    public static final String EGRESS_ALLOWED = "io.aiel.plane.egress.allowed.v1";
    public static final String EGRESS_REFUSED = "io.aiel.plane.egress.refused.v1";
    public static final String EGRESS_CLOSED = "io.aiel.plane.egress.closed.v1";
    public static final String CONTROL_CHANGED = "io.aiel.plane.control.changed.v1";
    public static final String ACCESS_DENIED = "io.aiel.plane.access.denied.v1";
    public static final String SNAPSHOT_SEALED = "io.aiel.plane.snapshot.sealed.v1";
    public static final String SNAPSHOT_DEPLOYED = "io.aiel.plane.snapshot.deployed.v1";
    public static final String AUDIT_READ = "io.aiel.plane.audit.read.v1";
    public static final String INTEGRATION_CALLED = "io.aiel.plane.integration.called.v1";
    public static final String INTEGRATION_ANSWERED = "io.aiel.plane.integration.answered.v1";
    public static final String INTEGRATION_REFUSED = "io.aiel.plane.integration.refused.v1";

    private static final String PREFIX = "io.aiel.plane.";
    private static final String VERSION = ".v1";

    /** All of them, for query validation and the reference page. */
    public static final List<String> ALL = List.of(
            EXECUTION_REQUESTED,
            POLICY_DECIDED,
            EXECUTION_ADMITTED,
            EXECUTION_QUEUED,
            EXECUTION_ATTEMPTED,
            EXECUTION_DENIED,
            EXECUTION_FINISHED,
            EXECUTION_CALLED,
            EXECUTION_ANSWERED,
            EGRESS_ALLOWED,
            EGRESS_REFUSED,
            EGRESS_CLOSED,
            CONTROL_CHANGED,
            ACCESS_DENIED,
            SNAPSHOT_SEALED,
            SNAPSHOT_DEPLOYED,
            AUDIT_READ,
            INTEGRATION_CALLED,
            INTEGRATION_ANSWERED,
            INTEGRATION_REFUSED);

    private EventTypes() {}

    /** The type of this event. */
    public static String of(AuditEvent event) {
        return switch (event) {
            case AuditEvent.ExecutionRequested _ -> EXECUTION_REQUESTED;
            case AuditEvent.PolicyDecided _ -> POLICY_DECIDED;
            case AuditEvent.ExecutionAdmitted _ -> EXECUTION_ADMITTED;
            case AuditEvent.ExecutionQueued _ -> EXECUTION_QUEUED;
            case AuditEvent.ExecutionAttempted _ -> EXECUTION_ATTEMPTED;
            case AuditEvent.ExecutionDenied _ -> EXECUTION_DENIED;
            case AuditEvent.ExecutionFinished _ -> EXECUTION_FINISHED;
            case AuditEvent.ExecutionCalled _ -> EXECUTION_CALLED;
            case AuditEvent.ExecutionAnswered _ -> EXECUTION_ANSWERED;
            case AuditEvent.EgressAllowed _ -> EGRESS_ALLOWED;
            case AuditEvent.EgressRefused _ -> EGRESS_REFUSED;
            case AuditEvent.EgressClosed _ -> EGRESS_CLOSED;
            case AuditEvent.ControlChanged _ -> CONTROL_CHANGED;
            case AuditEvent.AccessDenied _ -> ACCESS_DENIED;
            case AuditEvent.SnapshotSealed _ -> SNAPSHOT_SEALED;
            case AuditEvent.SnapshotDeployed _ -> SNAPSHOT_DEPLOYED;
            case AuditEvent.AuditRead _ -> AUDIT_READ;
            case AuditEvent.IntegrationCalled _ -> INTEGRATION_CALLED;
            case AuditEvent.IntegrationAnswered _ -> INTEGRATION_ANSWERED;
            case AuditEvent.IntegrationRefused _ -> INTEGRATION_REFUSED;
        };
    }

    /** Reads a full type or its short form ({@code execution.requested}); throws {@link IllegalArgumentException}. */
    public static String parse(String text) {
        String full = text.startsWith(PREFIX) ? text : PREFIX + text + VERSION;
        if (!ALL.contains(full)) {
            throw new IllegalArgumentException("unknown event type; known are "
                    + String.join(", ", ALL.stream().map(EventTypes::shortName).toList()));
        }
        return full;
    }

    /** The type without the reversed domain and the version, such as {@code execution.requested}. */
    public static String shortName(String type) {
        return type.substring(PREFIX.length(), type.length() - VERSION.length());
    }
}
