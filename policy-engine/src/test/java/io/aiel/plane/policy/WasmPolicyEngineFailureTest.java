package io.aiel.plane.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Role;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whatever goes wrong with the policy, the answer is a denial that says it could not be decided. */
class WasmPolicyEngineFailureTest {
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final PolicyInput INVOKE = Questions.invoke(Questions.principal(Role.INVOKER), "{}");

    /** A policy for which the self-check's questions are easy and every execution is endless work. */
    private static final String SLOW = """
            package slow
            decision := {"allow": input.principal.roles == ["admin"], "reasons": ["r"], "obligations": {}} if {
                input.action != "execution.invoke"
            }
            decision := {"allow": n > 0, "reasons": ["r"], "obligations": {}} if {
                input.action == "execution.invoke"
                n := count([1 | some a in numbers.range(1, 20000); some b in numbers.range(1, 20000); a + b == -1])
            }
            """;

    @Test
    void deniesUntilItIsReady() {
        try (WasmPolicyEngine engine =
                WasmPolicyEngine.create(PolicyEngineSettings.defaults(), CompiledPolicy.defaultPolicy())) {
            // Translation takes far longer than reaching this line; were it done, the answer would be a decision.
            assertThat(engine.ready()).isFalse();
            assertUndecided(engine.decide(INVOKE), "not ready");
        }
    }

    @Test
    void deniesAfterItIsClosed() throws InterruptedException {
        WasmPolicyEngine engine = ready(small());

        engine.close();

        assertThat(engine.ready()).isFalse();
        assertUndecided(engine.decide(INVOKE), "not ready");
    }

    @Test
    void isNeverReadyForWhatIsNoWasmModule() throws InterruptedException {
        CompiledPolicy junk = new CompiledPolicy("no wasm".getBytes(StandardCharsets.UTF_8), "plane/authz/decision");

        assertNeverReady(WasmPolicyEngine.create(small(), junk), "not a wasm module");
    }

    @Test
    void isNeverReadyForAPolicyWithoutTheEntryPoint() throws InterruptedException {
        CompiledPolicy other = new CompiledPolicy(CompiledPolicy.defaultPolicy().wasm(), "plane/authz/other");

        assertNeverReady(WasmPolicyEngine.create(small(), other), "no entry point plane/authz/other");
    }

    @Test
    void isNeverReadyWithDataThatIsNotJson() throws InterruptedException {
        assertNeverReady(WasmPolicyEngine.create(small().withData(new JsonText("{\"limits\":"))), "data is not JSON");
    }

    @Test
    void deniesWhenTheOperatorsDataMakeAnImpossibleObligation() throws InterruptedException {
        try (WasmPolicyEngine engine =
                ready(small().withData(new JsonText("{\"limits\":{\"timeout_ms\":\"soon\"}}")))) {
            assertUndecided(engine.decide(INVOKE), "obligation timeout_ms");
        }
    }

    @Test
    void namesThePolicyByItsWasmItsDataAndItsEntryPoint() {
        try (WasmPolicyEngine one = WasmPolicyEngine.create(small());
                WasmPolicyEngine same = WasmPolicyEngine.create(small());
                WasmPolicyEngine other = WasmPolicyEngine.create(small().withData(new JsonText("{\"limits\":{}}")))) {
            Digest wasm = CompiledPolicy.defaultPolicy().digest();

            assertThat(one.policyDigest())
                    .isEqualTo(same.policyDigest())
                    .isNotEqualTo(other.policyDigest())
                    .isEqualTo(Digest.of(
                            "wasm " + wasm + "\ndata " + Digest.of("{}") + "\nentry_point plane/authz/decision\n"));
        }
    }

    /**
     * An instance that failed is not used again, and the next question is decided by a new one. Broken once by giving the
     * failed instance back.
     */
    @Test
    void throwsAnInstanceAwayThatRanOutOfMemoryAndGoesOnWithANewOne() throws InterruptedException {
        PolicyEngineSettings tight = new PolicyEngineSettings(
                1, Duration.ofSeconds(10), Duration.ofSeconds(10), 1 << 20, 2, new JsonText("{}"));
        try (WasmPolicyEngine engine = ready(tight)) {
            String large = "[" + "[1,2],".repeat(100_000) + "0]";

            for (int i = 0; i < 3; i++) {
                List<PolicyInstance> before = engine.idleInstances();
                Decision denied = engine.decide(Questions.invoke(Questions.principal(Role.INVOKER), large));
                assertThat(denied)
                        .isInstanceOfSatisfying(
                                Decision.Deny.class,
                                deny -> assertThat(deny.undecided()).isTrue());
                assertThat(engine.decide(INVOKE)).isInstanceOf(Decision.Allow.class);
                assertThat(before).hasSize(1);
                assertThat(engine.idleInstances()).hasSize(1).doesNotContainAnyElementsOf(before);
            }
        }
    }

    @Test
    void anInterruptedCallerIsDeniedAndStaysInterrupted() throws InterruptedException {
        try (WasmPolicyEngine engine = ready(small())) {
            Thread.currentThread().interrupt();

            Decision decision = engine.decide(INVOKE);

            assertThat(Thread.interrupted()).isTrue();
            assertUndecided(decision, "interrupted");
        }
    }

    @Test
    void isNeverReadyForAPolicyThatAllowsEverything(@TempDir Path scratch) throws Exception {
        CompiledPolicy yes = OpaCompiler.orSkip().compile(scratch, "yes/decision", """
                package yes
                decision := {"allow": true, "reasons": ["r"], "obligations": {}}
                """);

        assertNeverReady(WasmPolicyEngine.create(small(), yes), "self-check");
    }

    @Test
    void isNeverReadyForAPolicyThatNeedsTheNetwork(@TempDir Path scratch) throws Exception {
        CompiledPolicy asking = OpaCompiler.orSkip().compile(scratch, "asking/decision", """
                package asking
                decision := http.send({"method": "get", "url": input.action}).body
                """);

        assertNeverReady(WasmPolicyEngine.create(small(), asking), "http.send");
    }

    /** Broken once by never starting the watchdog: the evaluation went on for 20 s. */
    @Test
    void stopsAnEvaluationAtItsTimeLimitAndRecovers(@TempDir Path scratch) throws Exception {
        CompiledPolicy slow = OpaCompiler.orSkip().compile(scratch, "slow/decision", SLOW);
        PolicyEngineSettings settings = new PolicyEngineSettings(
                1, Duration.ofSeconds(10), Duration.ofMillis(500), 1024, 1024, new JsonText("{}"));
        try (WasmPolicyEngine engine = ready(settings, slow)) {
            long begin = System.nanoTime();

            Decision decision = engine.decide(INVOKE);

            assertUndecided(decision, "stopped at its time limit");
            assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(30));
            assertThat(Thread.interrupted()).isFalse();
            assertThat(engine.decide(Questions.about(
                            Questions.principal(Role.ADMIN), "project.read", Optional.of(Questions.SCOPE))))
                    .isInstanceOf(Decision.Allow.class);
        }
    }

    @Test
    void deniesWhenNoInstanceIsFree(@TempDir Path scratch) throws Exception {
        CompiledPolicy slow = OpaCompiler.orSkip().compile(scratch, "slow/decision", SLOW);
        PolicyEngineSettings settings = new PolicyEngineSettings(
                1, Duration.ofMillis(50), Duration.ofSeconds(1), 1024, 1024, new JsonText("{}"));
        try (WasmPolicyEngine engine = ready(settings, slow)) {
            CompletableFuture<Decision> first = CompletableFuture.supplyAsync(() -> engine.decide(INVOKE));
            while (engine.freeInstances() > 0 && !first.isDone()) {
                Thread.onSpinWait();
            }

            Decision second = engine.decide(INVOKE);

            assertUndecided(second, "no policy instance was free within 50 ms");
            assertUndecided(first.get(60, TimeUnit.SECONDS), "undecided");
        }
    }

    @Test
    void settingsSayWhatIsWrongWithThem() {
        assertThatThrownBy(() -> PolicyEngineSettings.defaults().withInstances(0))
                .hasMessage("policy engine setting instances must be 1 to 256, found 0");
    }

    private static PolicyEngineSettings small() {
        return PolicyEngineSettings.defaults().withInstances(1);
    }

    private static WasmPolicyEngine ready(PolicyEngineSettings settings) throws InterruptedException {
        return ready(settings, CompiledPolicy.defaultPolicy());
    }

    private static WasmPolicyEngine ready(PolicyEngineSettings settings, CompiledPolicy policy)
            throws InterruptedException {
        WasmPolicyEngine engine = WasmPolicyEngine.create(settings, policy);
        assertThat(engine.awaitReady(LIMIT))
                .as("ready; failure: %s", engine.failure())
                .isTrue();
        return engine;
    }

    private static void assertNeverReady(WasmPolicyEngine started, String why) throws InterruptedException {
        try (WasmPolicyEngine engine = started) {
            assertThat(engine.awaitReady(LIMIT)).isFalse();
            assertThat(engine.failure())
                    .hasValueSatisfying(failure -> assertThat(failure).contains(why));
            assertUndecided(engine.decide(INVOKE), "not ready");
        }
    }

    private static void assertUndecided(Decision decision, String why) {
        assertThat(decision).isInstanceOfSatisfying(Decision.Deny.class, deny -> {
            assertThat(deny.undecided()).isTrue();
            assertThat(deny.reasons()).singleElement().asString().contains(why);
        });
    }
}
