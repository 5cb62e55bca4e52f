package io.aiel.plane.gateway.audit;

import io.aiel.plane.audit.AuditChain;
import io.aiel.plane.audit.AuditCodec;
import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.aiel.plane.vocabulary.CapabilityRef;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.DecisionId;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
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
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Makes the records of executions, each execution new, all of one tenant. */
final class Executions {
    final TenantId tenant = TenantId.create();
    final ProjectScope scope = new ProjectScope(tenant, WorkspaceId.create(), ProjectId.create());
    final AuditCodec codec;

    Executions(Clock clock) {
        codec = new AuditCodec(clock);
    }

    AuditContext context(PrincipalId principal) {
        return new AuditContext(
                tenant,
                Optional.of(scope.workspace()),
                Optional.of(scope.project()),
                Optional.of(principal),
                "req",
                "");
    }

    /** The four records of an execution that was allowed and succeeded. */
    List<AuditRecord> succeeded() {
        return succeeded(PrincipalId.create(), ExecutionId.create(), "greet");
    }

    List<AuditRecord> succeeded(PrincipalId principal, ExecutionId execution, String tool) {
        AuditChain chain = AuditChain.begin(codec, context(principal), execution);
        List<AuditRecord> records = new ArrayList<>();
        records.add(chain.append(requested(execution, tool)));
        records.add(chain.append(new AuditEvent.PolicyDecided(
                execution,
                new Decision.Allow(
                        DecisionId.create(),
                        Digest.of("policy"),
                        new JsonText("{\"version\":1}"),
                        List.of("role invoker"),
                        Obligations.NONE))));
        records.add(chain.append(new AuditEvent.ExecutionAdmitted(execution)));
        records.add(chain.append(new AuditEvent.ExecutionFinished(
                execution,
                "succeeded",
                200,
                "",
                Optional.of(Digest.of("result")),
                new Usage(3, 5, 7_000_000),
                new JsonText("{\"tier\":\"namespaces\"}"),
                "worker-1")));
        return records;
    }

    /** The three records of an execution that was denied. */
    List<AuditRecord> denied(PrincipalId principal, ExecutionId execution, String tool) {
        AuditChain chain = AuditChain.begin(codec, context(principal), execution);
        return List.of(
                chain.append(requested(execution, tool)),
                chain.append(new AuditEvent.PolicyDecided(
                        execution,
                        new Decision.Deny(
                                DecisionId.create(),
                                Digest.of("policy"),
                                new JsonText("{\"version\":1}"),
                                List.of("no role allows it"),
                                false))),
                chain.append(new AuditEvent.ExecutionDenied(execution, "POLICY_DENIED", List.of("no role allows it"))));
    }

    private AuditEvent.ExecutionRequested requested(ExecutionId execution, String tool) {
        Capability capability = new Capability(
                new CapabilityRef(CapabilityKind.TOOL, tool),
                "",
                "1.0",
                List.of(),
                Optional.empty(),
                Optional.empty(),
                List.of(),
                List.of(),
                Digest.of("contract"),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                "entry_point.py",
                1);
        return new AuditEvent.ExecutionRequested(
                execution,
                scope,
                new ResolvedCapability(
                        scope,
                        Optional.of("production"),
                        new SnapshotRef(Digest.of("snapshot"), "ab".repeat(32)),
                        "minimal",
                        Optional.of(capability)),
                "execution.invoke",
                Optional.empty(),
                30_000,
                Optional.empty());
    }
}
