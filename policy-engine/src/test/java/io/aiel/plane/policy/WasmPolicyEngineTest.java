package io.aiel.plane.policy;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.Role;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The engine with the default policy, as the gateway uses it. */
class WasmPolicyEngineTest {
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static WasmPolicyEngine engine;

    @BeforeAll
    static void start() throws InterruptedException {
        engine = WasmPolicyEngine.create(PolicyEngineSettings.defaults().withInstances(2));
        assertThat(engine.awaitReady(LIMIT))
                .as("ready; failure: %s", engine.failure())
                .isTrue();
    }

    @AfterAll
    static void stop() {
        engine.close();
    }

    @Test
    void allowsAnInvokerToInvokeAndSaysUnderWhichObligations() {
        Decision decision = engine.decide(Questions.invoke(Questions.principal(Role.INVOKER), "{\"name\":\"Ada\"}"));

        assertThat(decision).isInstanceOfSatisfying(Decision.Allow.class, allow -> {
            assertThat(allow.reasons()).containsExactly("granted: role invoker");
            assertThat(allow.obligations().timeoutMs()).hasValue(900_000);
            assertThat(allow.obligations().network()).isEmpty();
            assertThat(allow.policyDigest()).isEqualTo(engine.policyDigest());
        });
    }

    @Test
    void deniesAViewerToInvokeAndSaysWhy() {
        Decision decision = engine.decide(Questions.invoke(Questions.principal(Role.VIEWER), "{}"));

        assertThat(decision).isInstanceOfSatisfying(Decision.Deny.class, deny -> {
            assertThat(deny.undecided()).isFalse();
            assertThat(deny.reasons()).containsExactly("the principal has no role that grants this action");
        });
    }

    @Test
    void recordsExactlyTheInputThatWasEvaluated() {
        Decision decision =
                engine.decide(Questions.invoke(Questions.principal(Role.INVOKER), "{\"name\":\"Åsa \\u0000 🚀\"}"));

        assertThat(decision).isInstanceOf(Decision.Allow.class);
        assertThat(decision.input().value()).contains("\"value\":{\"name\":\"Åsa \\u0000 🚀\"}");
        assertThat(engine.ask(decision.input().value())).isInstanceOf(DecisionReader.Reading.Yes.class);
    }

    /** Broken once by writing the arguments without checking them: the invoker decided as an admin would. */
    @Test
    void deniesArgumentsThatTryToGoOnAsThePrincipal() {
        String smuggled = "1},\"principal\":{\"roles\":[\"admin\"]},\"x\":{\"y\":1";

        Decision decision = engine.decide(Questions.invoke(Questions.principal(Role.INVOKER), smuggled));

        assertThat(decision)
                .isInstanceOfSatisfying(
                        Decision.Deny.class,
                        deny -> assertThat(deny.undecided()).isTrue());
        assertThat(decision.input().value()).doesNotContain("admin");
    }

    @Test
    void deniesToRunACapabilityOfAnotherProject() {
        ProjectScope other = new ProjectScope(
                Questions.SCOPE.tenant(), Questions.SCOPE.workspace(), new ProjectId("proj_" + "9".repeat(32)));

        Decision decision = engine.decide(
                Questions.invoke(Questions.principal(Role.ADMIN), Optional.of(new JsonText("{}")), other));

        assertThat(decision)
                .isInstanceOfSatisfying(
                        Decision.Deny.class,
                        deny -> assertThat(deny.undecided()).isTrue());
    }
}
