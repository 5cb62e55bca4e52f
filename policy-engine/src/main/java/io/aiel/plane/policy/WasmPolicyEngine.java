package io.aiel.plane.policy;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.DecisionId;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.JsonText;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Decides by an OPA policy compiled to wasm, translated to Java bytecode and run in this process, on a fixed number of
 * instances.
 *
 * <p>Thread-safe. {@link #decide} runs on the caller's thread: microseconds of computation once warm; it waits at most {@link
 * PolicyEngineSettings#checkoutTimeout} for a free instance, and its evaluation is stopped after {@link
 * PolicyEngineSettings#evaluationBudget}. Building happens on a thread of its own, which {@link #close} ends. Until the first
 * instances are built and have passed the self-check, and after {@link #close}, everything is denied as undecided.
 */
public final class WasmPolicyEngine implements PolicyEngine, AutoCloseable {
    private static final Logger LOG = System.getLogger(WasmPolicyEngine.class.getName());
    private static final JsonText NO_INPUT = new JsonText("null");
    private static final int REBUILD_ATTEMPTS_MAX = 5;
    private static final Duration REBUILD_PAUSE = Duration.ofSeconds(1);

    private final PolicyEngineSettings settings;
    private final CompiledPolicy policy;
    private final Digest policyDigest;
    private final PolicyInputJson inputJson;
    private final BlockingQueue<PolicyInstance> idle;
    private final ScheduledExecutorService builder;
    private final ScheduledExecutorService watchdog;
    private final CountDownLatch built = new CountDownLatch(1);
    private final Object lock = new Object();

    @GuardedBy("lock")
    private final List<PolicyInstance> alive = new ArrayList<>();

    @GuardedBy("lock")
    private @Nullable PolicyModule module;

    private volatile State state = State.BUILDING;
    private volatile @Nullable String failure;

    private enum State {
        BUILDING,
        READY,
        FAILED,
        CLOSED
    }

    private WasmPolicyEngine(PolicyEngineSettings settings, CompiledPolicy policy) {
        this.settings = settings;
        this.policy = policy;
        this.policyDigest = digestOf(policy, settings.data());
        this.inputJson = new PolicyInputJson(settings.argumentsBytesMax());
        this.idle = new ArrayBlockingQueue<>(settings.instances());
        this.builder = thread("policy-builder");
        this.watchdog = thread("policy-watchdog");
    }

    /**
     * Begins to build an engine for the default policy and returns at once; see {@link #awaitReady}. Throws {@link
     * RuntimeException} when the default policy is not in the jar or does not match its description.
     */
    public static WasmPolicyEngine create(PolicyEngineSettings settings) {
        return create(settings, CompiledPolicy.defaultPolicy());
    }

    static WasmPolicyEngine create(PolicyEngineSettings settings, CompiledPolicy policy) {
        WasmPolicyEngine engine = new WasmPolicyEngine(settings, policy);
        engine.start();
        return engine;
    }

    @Override
    public Decision decide(PolicyInput input) {
        DecisionId id = DecisionId.create();
        PolicyInputJson.Written written;
        try {
            written = inputJson.write(input);
        } catch (RuntimeException e) {
            LOG.log(
                    Level.ERROR,
                    "policy input could not be written: {0}",
                    e.getClass().getName());
            return undecided(id, NO_INPUT, "the question to the policy could not be written down");
        }
        JsonText json = new JsonText(written.json());
        if (written.problem().isPresent()) {
            return undecided(id, json, written.problem().get());
        }
        return switch (ask(written.json())) {
            case DecisionReader.Reading.Yes(var reasons, var obligations) ->
                new Decision.Allow(id, policyDigest, json, reasons, obligations);
            case DecisionReader.Reading.No(var reasons) -> new Decision.Deny(id, policyDigest, json, reasons, false);
            case DecisionReader.Reading.Unusable(var why) -> undecided(id, json, why);
        };
    }

    /**
     * The SHA-256 of the three lines {@code wasm <digest>}, {@code data <digest>}, {@code entry_point <name>}: what was asked,
     * and with which data.
     */
    @Override
    public Digest policyDigest() {
        return policyDigest;
    }

    @Override
    public boolean ready() {
        if (state != State.READY) {
            return false;
        }
        synchronized (lock) {
            return !alive.isEmpty();
        }
    }

    /** Waits until the engine is built or has failed, at most this long; true when it is {@link #ready}. */
    public boolean awaitReady(Duration limit) throws InterruptedException {
        return built.await(limit.toNanos(), TimeUnit.NANOSECONDS) && ready();
    }

    /** How many instances wait for a question now, for a gauge; 0 while all are busy. */
    public int freeInstances() {
        return idle.size();
    }

    /** The instances that wait now, for tests that must know which they are. */
    List<PolicyInstance> idleInstances() {
        return List.copyOf(idle);
    }

    /** Why the engine will never be ready; empty while it still may be, or is. */
    public Optional<String> failure() {
        return Optional.ofNullable(failure);
    }

    /** Denies everything from now on and ends this engine's threads. */
    @Override
    public void close() {
        state = State.CLOSED;
        builder.shutdownNow();
        watchdog.shutdownNow();
        idle.clear();
        synchronized (lock) {
            alive.clear();
        }
        built.countDown();
    }

    /** Asks the policy about this input. Any trouble is an {@code Unusable}, so that there is one place that denies. */
    DecisionReader.Reading ask(String inputJsonText) {
        if (state != State.READY) {
            return new DecisionReader.Reading.Unusable("the policy engine is not ready");
        }
        PolicyInstance instance;
        try {
            instance = idle.poll(settings.checkoutTimeout().toNanos(), TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return new DecisionReader.Reading.Unusable("the decision was interrupted");
        }
        if (instance == null) {
            return new DecisionReader.Reading.Unusable("no policy instance was free within "
                    + settings.checkoutTimeout().toMillis() + " ms");
        }
        return askAndReturn(instance, inputJsonText);
    }

    private DecisionReader.Reading askAndReturn(PolicyInstance instance, String inputJsonText) {
        long begin = System.nanoTime();
        String answer;
        try {
            answer = instance.evaluate(inputJsonText.getBytes(StandardCharsets.UTF_8));
        } catch (EvaluationFailed e) {
            replace(instance);
            return new DecisionReader.Reading.Unusable(e.why());
        } catch (RuntimeException | StackOverflowError | OutOfMemoryError e) {
            // Whatever the translated code threw half-way: its memory is in no known state.
            replace(instance);
            LOG.log(Level.WARNING, "policy evaluation failed: {0}", e.getClass().getName());
            return new DecisionReader.Reading.Unusable(
                    "the policy failed: " + e.getClass().getSimpleName());
        } catch (Throwable e) {
            replace(instance);
            throw e;
        }
        giveBack(instance);
        long tookNanos = System.nanoTime() - begin;
        if (tookNanos > settings.evaluationBudget().toNanos()) {
            return new DecisionReader.Reading.Unusable("the policy took " + TimeUnit.NANOSECONDS.toMillis(tookNanos)
                    + " ms where " + settings.evaluationBudget().toMillis() + " ms are allowed");
        }
        return DecisionReader.read(answer);
    }

    private void giveBack(PolicyInstance instance) {
        if (state == State.READY) {
            // Never full: there are as many places as instances.
            boolean taken = idle.offer(instance);
            assert taken;
        }
    }

    private void start() {
        long periodNanos = Math.max(
                settings.evaluationBudget().toNanos() / 4, Duration.ofMillis(1).toNanos());
        var _ = watchdog.scheduleWithFixedDelay(this::stopOverdue, periodNanos, periodNanos, TimeUnit.NANOSECONDS);
        builder.execute(this::build);
    }

    private void build() {
        try {
            PolicyModule translated = PolicyModule.translate(policy, settings.memoryMibMax());
            synchronized (lock) {
                module = translated;
            }
            for (int i = 0; i < settings.instances(); i++) {
                add(translated.instantiate(settings.data()));
            }
            if (state == State.BUILDING) {
                state = State.READY;
            }
        } catch (RuntimeException | StackOverflowError | OutOfMemoryError e) {
            failure = e instanceof PolicyInvalid
                    ? e.getMessage()
                    : "the policy cannot be run: " + e.getClass().getName();
            LOG.log(Level.ERROR, "the policy engine is not ready and denies everything: {0}", failure);
            if (state == State.BUILDING) {
                state = State.FAILED;
            }
        } finally {
            built.countDown();
        }
    }

    private void add(PolicyInstance instance) {
        SelfCheck.run(instance, inputJson);
        synchronized (lock) {
            alive.add(instance);
        }
        if (state == State.BUILDING || state == State.READY) {
            idle.add(instance);
        }
    }

    private void replace(PolicyInstance broken) {
        PolicyModule source;
        synchronized (lock) {
            alive.remove(broken);
            source = module;
        }
        if (source != null) {
            rebuild(source, REBUILD_ATTEMPTS_MAX);
        }
    }

    private void rebuild(PolicyModule source, int attemptsLeft) {
        Runnable attempt = () -> {
            try {
                add(source.instantiate(settings.data()));
            } catch (RuntimeException | StackOverflowError | OutOfMemoryError e) {
                LOG.log(
                        Level.ERROR,
                        "a policy instance could not be rebuilt: {0}",
                        e.getClass().getName());
                if (attemptsLeft > 1) {
                    rebuild(source, attemptsLeft - 1);
                }
            }
        };
        long pauseNanos = attemptsLeft == REBUILD_ATTEMPTS_MAX ? 0 : REBUILD_PAUSE.toNanos();
        try {
            var _ = builder.schedule(attempt, pauseNanos, TimeUnit.NANOSECONDS);
        } catch (RejectedExecutionException e) {
            // Closed meanwhile: nothing is decided any more, so nothing needs to be rebuilt.
            LOG.log(Level.DEBUG, "no rebuilding after close");
        }
    }

    private void stopOverdue() {
        long latestStart = System.nanoTime() - settings.evaluationBudget().toNanos();
        synchronized (lock) {
            for (PolicyInstance instance : alive) {
                instance.stopWhenStartedBefore(latestStart);
            }
        }
    }

    private Decision undecided(DecisionId id, JsonText input, String why) {
        return new Decision.Deny(id, policyDigest, input, List.of("undecided: " + why), true);
    }

    private static Digest digestOf(CompiledPolicy policy, JsonText data) {
        return Digest.of("wasm " + policy.digest() + "\ndata " + Digest.of(data.value()) + "\nentry_point "
                + policy.entryPoint() + "\n");
    }

    private static ScheduledExecutorService thread(String name) {
        return Executors.newSingleThreadScheduledExecutor(
                Thread.ofPlatform().daemon().name(name).factory());
    }
}
