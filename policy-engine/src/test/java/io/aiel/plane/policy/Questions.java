package io.aiel.plane.policy;

import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.aiel.plane.vocabulary.CapabilityRef;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Principal;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.PrincipalKind;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.ResolvedCapability;
import io.aiel.plane.vocabulary.Role;
import io.aiel.plane.vocabulary.SnapshotRef;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.TokenId;
import io.aiel.plane.vocabulary.WorkspaceId;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Questions for tests: fixed ids, so that answers can be compared. */
final class Questions {
    static final ProjectScope SCOPE = new ProjectScope(
            new TenantId("ten_" + "1".repeat(32)),
            new WorkspaceId("ws_" + "2".repeat(32)),
            new ProjectId("proj_" + "3".repeat(32)));

    private Questions() {}

    static Principal principal(Role... roles) {
        return new Principal(
                new PrincipalId("prn_" + "4".repeat(32)),
                PrincipalKind.USER,
                SCOPE.tenant(),
                "ada@example.org",
                new TokenId("tok_" + "5".repeat(32)),
                Set.of("*"),
                Set.of(roles),
                Optional.empty(),
                Optional.empty(),
                Optional.empty());
    }

    static PolicyInput invoke(Principal principal, String arguments) {
        return invoke(principal, Optional.of(new JsonText(arguments)), SCOPE);
    }

    static PolicyInput invoke(Principal principal, Optional<JsonText> arguments, ProjectScope capabilityScope) {
        Capability capability = new Capability(
                new CapabilityRef(CapabilityKind.TOOL, "greet"),
                "Says hello",
                "1.0.0",
                List.of("demo"),
                Optional.empty(),
                Optional.empty(),
                List.of("http.get"),
                List.of(),
                Digest.of("contract"),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                "tools.py",
                3);
        return new PolicyInput(
                principal,
                "execution.invoke",
                Optional.of(SCOPE),
                Optional.of(new ResolvedCapability(
                        capabilityScope,
                        Optional.of("production"),
                        new SnapshotRef(Digest.of("snapshot"), "a".repeat(64)),
                        "minimal",
                        Optional.of(capability))),
                "tool:greet",
                arguments,
                Optional.empty(),
                false,
                false,
                30_000,
                Instant.parse("2026-01-02T03:04:05Z"),
                "192.0.2.7",
                "0af7651916cd43dd8448eb211c80319c",
                "req-1");
    }

    static PolicyInput about(Principal principal, String action, Optional<ProjectScope> scope) {
        return new PolicyInput(
                principal,
                action,
                scope,
                Optional.empty(),
                "",
                Optional.empty(),
                Optional.empty(),
                false,
                false,
                0,
                Instant.parse("2026-01-02T03:04:05Z"),
                "",
                "",
                "req-2");
    }
}
