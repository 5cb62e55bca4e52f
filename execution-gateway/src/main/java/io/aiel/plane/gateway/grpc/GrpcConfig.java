package io.aiel.plane.gateway.grpc;

import io.quarkus.runtime.configuration.MemorySize;
import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;
import java.util.Optional;

/** Where gRPC is served, and what its callers may do. */
@ConfigMapping(prefix = "plane.grpc")
public interface GrpcConfig {
    /** Whether it is served at all. */
    @WithDefault("true")
    boolean enabled();

    /** The address it is served on; absent means that of HTTP. */
    Optional<String> host();

    /** The port, without TLS, which is the business of what stands in front; 0 for any that is free. */
    @WithDefault("9090")
    int port();

    /** The URL by which code that is called over gRPC reaches the plane's HTTP API; absent means where that is served. */
    Optional<String> baseUrl();

    /** The largest message that is taken. */
    @WithDefault("6M")
    MemorySize messageBytesMax();

    /** The most that all messages which are being received may hold; beyond, the one that comes is told to come again. */
    @WithDefault("24M")
    MemorySize receivingBytesMax();

    /** The most that the metadata of a call may have, counted as HTTP/2 does. */
    @WithDefault("16K")
    MemorySize metadataBytesMax();

    /** Calls of one connection at once. */
    @WithDefault("100")
    int callsMax();

    /** Connections; with one more, it is closed at once. */
    @WithDefault("1024")
    int connectionsMax();

    /** Streams that a connection may reset within half a minute, by either side; with more, it is closed. */
    @WithDefault("200")
    int resetsMax();

    /** From a call's metadata to its message. */
    @WithDefault("60S")
    Duration receiveTimeout();

    /** How long a caller may leave the answer of a call, or the events of a stream, where they are. */
    @WithDefault("30S")
    Duration answerStallTimeout();

    /** How long a connection stays open without a call. */
    @WithDefault("75S")
    Duration idleTimeout();

    /** How old a connection becomes before it takes no further calls; those that it has go on. */
    @WithDefault("2H")
    Duration connectionAge();

    /** How often a client may ask whether the connection lives. */
    @WithDefault("20S")
    Duration keepAliveMin();

    /** How long health may be watched, or reflection asked, by one call; neither needs a token. */
    @WithDefault("5M")
    Duration tokenlessMax();
}
