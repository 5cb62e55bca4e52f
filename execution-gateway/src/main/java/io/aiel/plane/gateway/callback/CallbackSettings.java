package io.aiel.plane.gateway.callback;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * How callbacks are sent.
 *
 * @param hosts those that are allowed, as {@link CallbackHosts} reads them; empty means that none are sent
 * @param privateHosts names that may resolve to private, loopback or otherwise reserved addresses
 * @param sealingKey 64 hex digits; empty means one that is kept in the database
 * @param overlap how long callbacks are still signed with a secret that was replaced
 * @param secretsMax of one project, those included that were replaced and have not ended
 * @param inHandMax sent at once by this server
 * @param laneInHandMax of them from one project to one host
 * @param attemptTimeout for one attempt, from resolving the name to the head of the answer
 * @param retryFirst between the first attempt and the second; doubles with each
 * @param retryMax the longest time between two attempts
 * @param giveUpAfter from the end of the execution; then no attempt follows
 * @param envelopeCharactersMax a longer envelope does not go along
 * @param statementTimeout for one statement or transaction
 */
public record CallbackSettings(
        List<String> hosts,
        Set<String> privateHosts,
        Optional<String> sealingKey,
        Duration overlap,
        int secretsMax,
        int inHandMax,
        int laneInHandMax,
        Duration attemptTimeout,
        Duration retryFirst,
        Duration retryMax,
        Duration giveUpAfter,
        int envelopeCharactersMax,
        Duration statementTimeout) {
    /** Throws {@link IllegalArgumentException} that names everything that is wrong. */
    public CallbackSettings {
        hosts = List.copyOf(hosts);
        privateHosts = Set.copyOf(privateHosts);
        List<String> wrong = new ArrayList<>();
        if (inHandMax < 1 || laneInHandMax < 1 || laneInHandMax > inHandMax) {
            wrong.add("in-hand-max must be at least 1, and per-host-max within 1 and in-hand-max");
        }
        for (Duration time : List.of(attemptTimeout, retryFirst, retryMax, giveUpAfter)) {
            if (!time.isPositive()) {
                wrong.add("times must be above PT0S; one of them is " + time);
            }
        }
        if (sealingKey.isPresent() && !sealingKey.get().matches("[0-9a-fA-F]{64}")) {
            wrong.add("sealing-key must be 64 hex digits, the same for all nodes; openssl rand -hex 32 makes one");
        }
        if (!wrong.isEmpty()) {
            throw new IllegalArgumentException("plane.callbacks: " + String.join("; ", wrong));
        }
    }

    /** Whoever claims an attempt and is not done by then is gone. */
    Duration lease() {
        return attemptTimeout.plus(statementTimeout).plus(statementTimeout);
    }

    @Override
    public String toString() {
        return "CallbackSettings[hosts=" + hosts + "]";
    }
}
