package io.aiel.plane.policy;

import io.aiel.plane.vocabulary.Principal;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.PrincipalKind;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.Role;
import io.aiel.plane.vocabulary.TenantId;
import io.aiel.plane.vocabulary.TokenId;
import io.aiel.plane.vocabulary.WorkspaceId;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * What an instance must get right before it may decide: one question every sane policy allows (an administrator reads a
 * project of the own tenant) and one it denies (the same by somebody without any role). An engine that says the same to
 * everybody is never ready.
 */
final class SelfCheck {
    /** Enough to have the translated code compiled to a first tier before the first real question. */
    private static final int ROUNDS = 50;

    private SelfCheck() {}

    /** Throws {@link PolicyInvalid} when an answer is not as it must be. */
    static void run(PolicyInstance instance, PolicyInputJson json) {
        byte[] mayRead = question(json, Set.of(Role.ADMIN));
        byte[] mayNotRead = question(json, Set.of());
        for (int i = 0; i < ROUNDS; i++) {
            require(instance, mayRead, DecisionReader.Reading.Yes.class, "that an administrator reads a project");
            require(
                    instance,
                    mayNotRead,
                    DecisionReader.Reading.No.class,
                    "that somebody without a role reads a project");
        }
    }

    private static void require(
            PolicyInstance instance, byte[] question, Class<? extends DecisionReader.Reading> wanted, String what) {
        DecisionReader.Reading reading = DecisionReader.read(instance.evaluate(question));
        if (!wanted.isInstance(reading)) {
            throw new PolicyInvalid("self-check: asked " + what + ", wanted "
                    + wanted.getSimpleName().toLowerCase(Locale.ROOT) + ", the policy said " + reading);
        }
    }

    private static byte[] question(PolicyInputJson json, Set<Role> roles) {
        ProjectScope scope = new ProjectScope(TenantId.create(), WorkspaceId.create(), ProjectId.create());
        Principal principal = new Principal(
                PrincipalId.create(),
                PrincipalKind.SERVICE,
                scope.tenant(),
                "self-check",
                TokenId.create(),
                Set.of("*"),
                roles,
                Optional.empty(),
                Optional.empty(),
                Optional.empty());
        PolicyInput input = new PolicyInput(
                principal,
                "project.read",
                Optional.of(scope),
                Optional.empty(),
                "",
                Optional.empty(),
                Optional.empty(),
                false,
                false,
                0,
                Instant.EPOCH,
                "",
                "",
                "self-check");
        return json.write(input).json().getBytes(StandardCharsets.UTF_8);
    }
}
