package io.aiel.plane.gateway.grpc;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.grpc.plane.v1.CapabilityServiceGrpc;
import io.aiel.grpc.plane.v1.ExecutionServiceGrpc;
import io.aiel.plane.gateway.execution.Executions;
import io.aiel.plane.gateway.identity.ProjectDoor;
import io.aiel.plane.registry.CapabilityRegistry;
import io.grpc.Server;
import io.grpc.ServiceDescriptor;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.netty.channel.EventLoop;
import io.quarkus.runtime.ShutdownDelayInitiatedEvent;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import io.smallrye.health.SmallRyeHealthReporter;
import io.vertx.core.Vertx;
import io.vertx.core.impl.ContextInternal;
import io.vertx.core.impl.VertxInternal;
import jakarta.annotation.Priority;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * Serves gRPC on a port of its own, on the event loops that serve HTTP. What a connection may do is bounded here and nowhere
 * else: HTTP/2 is spoken on this port alone (decision 0023). Started and stopped with the application.
 */
@Singleton
public class GrpcServer {
    private static final Logger LOG = Logger.getLogger(GrpcServer.class);

    /** Small, as each connection and each call that is not let in yet may have sent so much; a call that is let in is read at once. */
    private static final int WINDOW_BYTES = 128 * 1024;

    private static final int RESET_WINDOW_SECONDS = 30;
    private static final int HANDSHAKE_SECONDS = 15;
    private static final long READINESS_EVERY_MS = 2_000;
    private static final Duration STOP_LIMIT = Duration.ofSeconds(2);

    private final GrpcConfig config;
    private final CallInHand.Parts parts;
    private final ExecutionMethods executions;
    private final CapabilityMethods capabilities;
    private final VertxInternal vertx;
    private final SmallRyeHealthReporter readiness;
    private final String host;
    private final HealthStatusManager health = new HealthStatusManager();
    private final List<ContextInternal> loops = new ArrayList<>();
    private @Nullable Server server;
    private long lookingAtReadiness;

    @SuppressWarnings("TooManyParameters") // The assembly of this package.
    GrpcServer(
            GrpcConfig config,
            ProjectDoor door,
            Executions executions,
            CapabilityRegistry registry,
            ObjectMapper json,
            Vertx vertx,
            SmallRyeHealthReporter readiness,
            @ConfigProperty(name = "quarkus.http.host") String httpHost,
            @ConfigProperty(name = "quarkus.http.port") int httpPort) {
        this.config = config;
        this.vertx = (VertxInternal) vertx;
        this.readiness = readiness;
        this.host = config.host().orElse(httpHost);
        JsonValues values = new JsonValues(json);
        this.executions = new ExecutionMethods(executions, values);
        this.capabilities = new CapabilityMethods(registry);
        this.parts = new CallInHand.Parts(
                door,
                new Errors(json, values),
                config.baseUrl().orElse("http://" + httpHost + ":" + httpPort),
                config.receiveTimeout(),
                config.answerStallTimeout());
    }

    /** Where it is served, as {@code host:port}; empty when it is not. */
    public Optional<String> address() {
        return Optional.ofNullable(server).map(serving -> host + ":" + serving.getPort());
    }

    void start(@Observes @Priority(3000) StartupEvent event) {
        if (!config.enabled()) {
            return;
        }
        vertx.getEventLoopGroup()
                .forEach(loop -> loops.add(vertx.createEventLoopContext(
                        (EventLoop) loop, null, Thread.currentThread().getContextClassLoader())));
        try {
            server = built().start();
        } catch (IOException e) {
            // Without its cause, which is what would be told: that some address is in use.
            throw new IllegalStateException("gRPC cannot be served on " + host + ":" + config.port()
                    + ": name another port with --grpc-port or plane.grpc.port, or switch it off with"
                    + " plane.grpc.enabled=false (" + e.getMessage() + ")");
        }
        LOG.infof("gRPC is served on %s", address().orElse(""));
        setHealth(false);
        lookingAtReadiness = vertx.setPeriodic(1, READINESS_EVERY_MS, _ -> lookAtReadiness());
    }

    private Server built() {
        CallsOfConnection calls = new CallsOfConnection(config.callsMax());
        NettyServerBuilder builder = NettyServerBuilder.forAddress(new InetSocketAddress(host, config.port()))
                .channelFactory(() -> new GrpcListener(config.connectionsMax()))
                .bossEventLoopGroup(vertx.getAcceptorEventLoopGroup())
                .workerEventLoopGroup(vertx.getEventLoopGroup())
                // Calls wait for nothing, so they need no threads of their own.
                .directExecutor()
                .maxInboundMessageSize(Math.toIntExact(config.messageBytesMax().asLongValue()))
                .maxInboundMetadataSize(
                        Math.toIntExact(config.metadataBytesMax().asLongValue()))
                .maxConcurrentCallsPerConnection(config.callsMax())
                .maxRstFramesPerWindow(config.resetsMax(), RESET_WINDOW_SECONDS)
                .flowControlWindow(WINDOW_BYTES)
                .handshakeTimeout(HANDSHAKE_SECONDS, TimeUnit.SECONDS)
                .maxConnectionIdle(config.idleTimeout().toMillis(), TimeUnit.MILLISECONDS)
                .maxConnectionAge(config.connectionAge().toMillis(), TimeUnit.MILLISECONDS)
                .addTransportFilter(calls)
                .intercept(calls)
                .addStreamTracerFactory(new StreamReset.Factory())
                .addStreamTracerFactory(
                        new ReceivingBudget(config.receivingBytesMax().asLongValue()))
                .permitKeepAliveTime(config.keepAliveMin().toMillis(), TimeUnit.MILLISECONDS)
                // Finds a peer that is gone while its call goes on.
                .keepAliveTime(60, TimeUnit.SECONDS)
                .keepAliveTimeout(20, TimeUnit.SECONDS);
        builder.addService(executions
                .addTo(guarded(ExecutionServiceGrpc.getServiceDescriptor()))
                .build());
        builder.addService(capabilities
                .addTo(guarded(CapabilityServiceGrpc.getServiceDescriptor()))
                .build());
        OpenServices.all(health, config.tokenlessMax(), this::loop).forEach(builder::addService);
        return builder.build();
    }

    private GuardedService guarded(ServiceDescriptor described) {
        return new GuardedService(described, parts, this::loop);
    }

    /** A context for one call, on the event loop of the connection that it came by. */
    private ContextInternal loop() {
        return loops.stream()
                .filter(loop -> loop.nettyEventLoop().inEventLoop())
                .findFirst()
                .orElse(loops.getFirst())
                .duplicate();
    }

    private void lookAtReadiness() {
        var _ = readiness.getReadinessAsync().subscribe().with(found -> setHealth(!found.isDown()), failure -> {
            LOG.warnf("readiness could not be asked: %s", failure.toString());
            setHealth(false);
        });
    }

    private void setHealth(boolean ready) {
        ServingStatus status = ready ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
        health.setStatus(HealthStatusManager.SERVICE_NAME_ALL_SERVICES, status);
        health.setStatus(ExecutionServiceGrpc.SERVICE_NAME, status);
        health.setStatus(CapabilityServiceGrpc.SERVICE_NAME, status);
    }

    void sayThatItStops(@Observes ShutdownDelayInitiatedEvent event) {
        health.enterTerminalState();
    }

    /** Before executions are let end: no call comes any more, and those that are there get their answers. */
    void takeNoMore(@Observes @Priority(0) ShutdownEvent event) {
        health.enterTerminalState();
        vertx.cancelTimer(lookingAtReadiness);
        if (server != null) {
            server.shutdown();
        }
    }

    /** After it. */
    void stop(@Observes @Priority(2) ShutdownEvent event) throws InterruptedException {
        if (server != null && !server.awaitTermination(STOP_LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
            server.shutdownNow();
        }
    }
}
