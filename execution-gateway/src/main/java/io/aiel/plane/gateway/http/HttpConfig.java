package io.aiel.plane.gateway.http;

import io.quarkus.runtime.configuration.MemorySize;
import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;

/** Limits on what a caller may send, and on how slowly. Those of the HTTP codec itself are {@code quarkus.http.limits.*}. */
@ConfigMapping(prefix = "plane.http")
public interface HttpConfig {
    /** The largest body of a call, announced or not; the bytes of a signed upload have their own limit. */
    @WithDefault("6M")
    MemorySize bodyBytesMax();

    /** From here on a body counts as large: only so many are received and read at a time. */
    @WithDefault("256K")
    MemorySize largeBodyBytes();

    /** How many large bodies are received, read and worked on at a time; one more is asked to come again. */
    @WithDefault("4")
    int largeBodiesMax();

    /** From the first byte of a request, or from the connection's start, to the end of its headers. */
    @WithDefault("15S")
    Duration headTimeout();

    /** From the end of a request's headers to the end of its body. */
    @WithDefault("60S")
    Duration bodyTimeout();

    /** How long a connection may take none of an answer's bytes. */
    @WithDefault("30S")
    Duration answerStallTimeout();

    /** After so long without an event a stream of events has a comment, so that whoever is between holds the connection. */
    @WithDefault("15S")
    Duration streamHeartbeat();

    /** How long a connection stays open without a request. */
    @WithDefault("75S")
    Duration idleTimeout();
}
