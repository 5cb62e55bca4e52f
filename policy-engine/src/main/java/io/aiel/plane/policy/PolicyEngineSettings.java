package io.aiel.plane.policy;

import io.aiel.plane.vocabulary.JsonText;
import java.time.Duration;
import java.util.Objects;

/**
 * How the policy engine runs. Every value is checked here; {@link #defaults()} is good for a server of a few cores.
 *
 * @param instances how many decisions may be computed at the same time; each instance holds 1 to {@code memoryMibMax} MiB
 * @param checkoutTimeout how long a decision waits for a free instance before it is an undecided denial
 * @param evaluationBudget how long one evaluation may take; a slower one is stopped and is an undecided denial
 * @param argumentsBytesMax arguments longer than this (bytes of UTF-8) reach the policy as their digest alone
 * @param memoryMibMax the most memory one instance may take, MiB
 * @param data the policy's data document: grants and limits, see {@code docs/reference/policy.md}
 */
public record PolicyEngineSettings(
        int instances,
        Duration checkoutTimeout,
        Duration evaluationBudget,
        int argumentsBytesMax,
        int memoryMibMax,
        JsonText data) {

    public PolicyEngineSettings {
        Objects.requireNonNull(data, "data");
        require(instances >= 1 && instances <= 256, "instances", "1 to 256", instances);
        require(within(checkoutTimeout, 10_000), "checkoutTimeout", "1 ms to 10 s", checkoutTimeout);
        require(within(evaluationBudget, 10_000), "evaluationBudget", "1 ms to 10 s", evaluationBudget);
        require(
                argumentsBytesMax >= 0 && argumentsBytesMax <= 1 << 20,
                "argumentsBytesMax",
                "0 to 1048576",
                argumentsBytesMax);
        require(memoryMibMax >= 1 && memoryMibMax <= 1024, "memoryMibMax", "1 to 1024", memoryMibMax);
    }

    /** One instance per core, 250 ms for each wait, 64 KiB of arguments, 32 MiB, no grants. */
    public static PolicyEngineSettings defaults() {
        return new PolicyEngineSettings(
                Math.clamp(Runtime.getRuntime().availableProcessors(), 1, 256),
                Duration.ofMillis(250),
                Duration.ofMillis(250),
                64 * 1024,
                32,
                new JsonText("{}"));
    }

    /** The same with other data. */
    public PolicyEngineSettings withData(JsonText other) {
        return new PolicyEngineSettings(
                instances, checkoutTimeout, evaluationBudget, argumentsBytesMax, memoryMibMax, other);
    }

    /** The same with another number of instances. */
    public PolicyEngineSettings withInstances(int other) {
        return new PolicyEngineSettings(
                other, checkoutTimeout, evaluationBudget, argumentsBytesMax, memoryMibMax, data);
    }

    private static boolean within(Duration duration, long millisMax) {
        return duration.compareTo(Duration.ofMillis(1)) >= 0 && duration.compareTo(Duration.ofMillis(millisMax)) <= 0;
    }

    private static void require(boolean holds, String name, String wanted, Object found) {
        if (!holds) {
            throw new IllegalArgumentException(
                    "policy engine setting " + name + " must be " + wanted + ", found " + found);
        }
    }
}
