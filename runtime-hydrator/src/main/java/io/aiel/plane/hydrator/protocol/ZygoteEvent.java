package io.aiel.plane.hydrator.protocol;

import io.aiel.plane.vocabulary.JsonText;
import java.util.Optional;

/** What a zygote said. */
public sealed interface ZygoteEvent {
    /** It is ready to fork. */
    record Hello(String tier, JsonText isolation, String python, String sdkVersion, String runtimeVersion, long pid)
            implements ZygoteEvent {}

    /** It cannot give what was demanded, and ends. */
    record StartFailed(String reason) implements ZygoteEvent {}

    /** A worker was forked. The pid is the zygote's view: inside its own process namespace where it has one. */
    record Spawned(String worker, long pid) implements ZygoteEvent {}

    /** A worker could not be forked. */
    record SpawnFailed(String worker, String reason) implements ZygoteEvent {}

    /** The answer to a ping. */
    record Pong() implements ZygoteEvent {}

    /** A worker's process is gone and reaped. */
    record Exited(
            String worker,
            Optional<Integer> exitCode,
            Optional<Integer> signal,
            boolean memoryLimitHit,
            boolean processLimitHit,
            boolean cpuLimitHit,
            long cpuMs,
            long maxRssBytes)
            implements ZygoteEvent {}

    /** The zygote broke the protocol; nothing more comes from this machine. */
    record Broken(String reason) implements ZygoteEvent {}
}
