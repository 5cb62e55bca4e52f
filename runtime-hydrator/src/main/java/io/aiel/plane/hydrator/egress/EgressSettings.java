package io.aiel.plane.hydrator.egress;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;

/**
 * What an operator can say about connections to the outside.
 *
 * @param privateHosts names that may resolve to private, loopback or otherwise reserved addresses; the policy must grant them all the same
 * @param connectionsMax connections of one execution, refused ones included
 * @param openMax of them at once
 * @param sentBytesMax that one execution may send
 * @param receivedBytesMax that one execution may receive
 * @param connectTimeout for resolving a name, and again for connecting
 * @param headTimeout for what a worker must send before it is known where it wants to go
 * @param idleTimeout with no byte either way
 * @param caFile certificates that workers trust, PEM; empty means what the interpreter trusts on this host
 */
public record EgressSettings(
        Set<String> privateHosts,
        int connectionsMax,
        int openMax,
        long sentBytesMax,
        long receivedBytesMax,
        Duration connectTimeout,
        Duration headTimeout,
        Duration idleTimeout,
        Optional<Path> caFile) {
    /** What holds when nothing is configured. */
    public static final EgressSettings DEFAULT = new EgressSettings(
            Set.of(),
            256,
            32,
            64L << 20,
            256L << 20,
            Duration.ofSeconds(5),
            Duration.ofSeconds(10),
            Duration.ofSeconds(120),
            Optional.empty());

    public EgressSettings {
        privateHosts = Set.copyOf(privateHosts);
        if (connectionsMax < 1 || openMax < 1 || sentBytesMax < 1 || receivedBytesMax < 1) {
            throw new IllegalArgumentException("a limit of egress must be at least 1");
        }
    }

    /** The same with these names allowed to be private. */
    public EgressSettings withPrivateHosts(Set<String> names) {
        return new EgressSettings(
                names,
                connectionsMax,
                openMax,
                sentBytesMax,
                receivedBytesMax,
                connectTimeout,
                headTimeout,
                idleTimeout,
                caFile);
    }
}
