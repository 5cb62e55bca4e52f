package io.aiel.plane.audit;

import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.aiel.plane.vocabulary.CapabilityRef;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.DecisionId;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ModelUse;
import io.aiel.plane.vocabulary.NetworkHost;
import io.aiel.plane.vocabulary.Obligations;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.ResolvedCapability;
import io.aiel.plane.vocabulary.SnapshotRef;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.Usage;
import io.aiel.plane.vocabulary.WorkspaceId;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** One example of each event, with fixed ids. */
final class AuditEvents {
    static final Clock CLOCK = Clock.fixed(Instant.parse("2026-03-04T05:06:07.891234Z"), ZoneOffset.UTC);
    static final TenantId TENANT = new TenantId("ten_" + "0".repeat(31) + "1");
    static final ProjectScope SCOPE = new ProjectScope(
            TENANT, new WorkspaceId("ws_" + "0".repeat(31) + "2"), new ProjectId("proj_" + "0".repeat(31) + "3"));
    static final PrincipalId PRINCIPAL = new PrincipalId("prn_" + "0".repeat(31) + "4");
    static final ExecutionId EXECUTION = new ExecutionId("exec_" + "0".repeat(31) + "5");
    static final AuditContext CONTEXT = new AuditContext(
            TENANT,
            Optional.of(SCOPE.workspace()),
            Optional.of(SCOPE.project()),
            Optional.of(PRINCIPAL),
            "req-1",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    private static final DecisionId DECISION = new DecisionId("dec_" + "0".repeat(31) + "6");
    private static final Digest SNAPSHOT = Digest.of("snapshot");

    private AuditEvents() {}

    static AuditEvent.ExecutionRequested requested() {
        Capability capability = new Capability(
                new CapabilityRef(CapabilityKind.TOOL, "greet"),
                "Greets",
                "1.0",
                List.of("demo"),
                Optional.empty(),
                Optional.empty(),
                List.of(),
                List.of(),
                Digest.of("contract"),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                "entry_point.py",
                3);
        return new AuditEvent.ExecutionRequested(
                EXECUTION,
                SCOPE,
                new ResolvedCapability(
                        SCOPE,
                        Optional.of("production"),
                        new SnapshotRef(SNAPSHOT, "ab".repeat(32)),
                        "minimal",
                        Optional.of(capability)),
                "execution.invoke",
                Optional.of(Digest.of("{}")),
                30_000,
                Optional.of("order-4711"));
    }

    static Decision.Allow allow(String input) {
        return new Decision.Allow(
                DECISION, Digest.of("policy"), new JsonText(input), List.of("role invoker"), Obligations.NONE);
    }

    static Decision.Deny deny(String input, String... reasons) {
        return new Decision.Deny(DECISION, Digest.of("policy"), new JsonText(input), List.of(reasons), false);
    }

    static AuditEvent.PolicyDecided decided(String input) {
        return new AuditEvent.PolicyDecided(EXECUTION, allow(input));
    }

    static AuditEvent.ExecutionFinished finished() {
        return new AuditEvent.ExecutionFinished(
                EXECUTION,
                "succeeded",
                200,
                "",
                Optional.of(Digest.of("result")),
                new Usage(12, 34, 56_000_000),
                new JsonText("{\"tier\":\"namespaces\"}"),
                "worker-1",
                0,
                new ModelUse(2, 40, 25, 65));
    }

    /** Every type once, in the order of {@link EventTypes#ALL}. */
    static List<AuditEvent> all() {
        return List.of(
                requested(),
                decided("{\"version\":1,\"action\":\"execution.invoke\"}"),
                new AuditEvent.ExecutionAdmitted(EXECUTION),
                new AuditEvent.ExecutionQueued(
                        EXECUTION, 3, CLOCK.instant(), 5, Optional.of(new NetworkHost("hooks.example.com", 443))),
                new AuditEvent.ExecutionAttempted(
                        EXECUTION,
                        1,
                        true,
                        "failed",
                        500,
                        "USER_CODE_ERROR",
                        new Usage(12, 34, 56_000_000),
                        "worker-1",
                        CLOCK.instant().plusSeconds(2)),
                new AuditEvent.ExecutionDenied(EXECUTION, "POLICY_DENIED", List.of("no role allows execution.invoke")),
                finished(),
                new AuditEvent.ExecutionCalled(
                        EXECUTION, "memory.write", "customer/7", Optional.of(allow("{\"version\":1}"))),
                new AuditEvent.ExecutionAnswered(
                        EXECUTION,
                        "call_" + "0".repeat(31) + "a",
                        "conn_" + "0".repeat(31) + "9",
                        "openai.chat.completions.create",
                        "done",
                        "",
                        Digest.of("{}"),
                        Optional.of(Digest.of("{}")),
                        712,
                        new ModelUse(1, 19, 10, 29)),
                new AuditEvent.EgressAllowed(EXECUTION, 1, "api.example.com", 443, "https", "192.0.2.7"),
                new AuditEvent.EgressRefused(
                        EXECUTION, 2, "other.example.com", 443, "not_granted", "the policy names no such host"),
                new AuditEvent.EgressClosed(EXECUTION, 1, "api.example.com", 443, "done", 812, 4096, 57),
                new AuditEvent.ControlChanged(
                        "token.created", "tok_" + "0".repeat(31) + "7", Map.of("scopes", "execution.*")),
                new AuditEvent.AccessDenied("files.write", "src/app.py", deny("{\"version\":1}", "read-only role")),
                new AuditEvent.SnapshotSealed(SCOPE, SNAPSHOT, "ab".repeat(32), true, 0),
                new AuditEvent.SnapshotDeployed(SCOPE, SNAPSHOT, "production", "dep_" + "0".repeat(31) + "8"),
                new AuditEvent.AuditRead("type=execution.finished&limit=100", 42),
                new AuditEvent.IntegrationCalled(
                        "call_" + "0".repeat(31) + "a",
                        "conn_" + "0".repeat(31) + "9",
                        "postgres.query",
                        Optional.of(EXECUTION),
                        Digest.of("{}"),
                        Optional.of("order-4711")),
                new AuditEvent.IntegrationAnswered(
                        "call_" + "0".repeat(31) + "a",
                        "conn_" + "0".repeat(31) + "9",
                        "postgres.query",
                        Optional.of(EXECUTION),
                        "done",
                        "",
                        Optional.of(Digest.of("{}"))),
                new AuditEvent.IntegrationRefused(
                        "conn_" + "0".repeat(31) + "9", "postgres.insert", Optional.empty(), "ACTION_NOT_GRANTED"));
    }
}
