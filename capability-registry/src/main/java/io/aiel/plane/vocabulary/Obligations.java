package io.aiel.plane.vocabulary;

import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What an allowing policy demands of the execution. Absent members demand nothing.
 *
 * @param timeoutMs the longest run, milliseconds
 * @param maxMemoryMb the worker's memory, MiB
 * @param redact JSON pointers into arguments that must not be recorded
 * @param approvalRequired the execution waits for a person; refused where nobody can be asked
 * @param network the hosts that the worker may reach, if it asked for a network; none means no network
 * @param subprocess whether the worker may make processes, if it asked to
 * @param logLevel the lowest level of worker logs that is kept
 * @param retry how often it may be begun when it is queued and its caller did not say
 */
public record Obligations(
        OptionalInt timeoutMs,
        OptionalInt maxMemoryMb,
        List<String> redact,
        boolean approvalRequired,
        List<NetworkHost> network,
        boolean subprocess,
        Optional<String> logLevel,
        Optional<RetryRule> retry) {
    /** Demands nothing. */
    public static final Obligations NONE = new Obligations(
            OptionalInt.empty(),
            OptionalInt.empty(),
            List.of(),
            false,
            List.of(),
            false,
            Optional.empty(),
            Optional.empty());

    public Obligations {
        redact = List.copyOf(redact);
        network = List.copyOf(network);
    }
}
