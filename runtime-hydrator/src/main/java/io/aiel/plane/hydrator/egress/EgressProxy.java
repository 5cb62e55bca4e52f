package io.aiel.plane.hydrator.egress;

import io.aiel.plane.hydrator.EgressEvent;
import io.aiel.plane.vocabulary.NetworkHost;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.Socket;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;

/**
 * The one way from workers to the outside: an HTTP proxy that goes where a grant names a host and nowhere else. It resolves the name
 * itself, once, refuses addresses that no public name rightly has, and connects to the address that it checked. Thread-safe; each
 * connection has virtual threads of its own.
 */
public final class EgressProxy implements AutoCloseable {
    /** How names become addresses. */
    @FunctionalInterface
    public interface Resolver {
        InetAddress[] resolve(String name) throws UnknownHostException;
    }

    /** How a connection is made: to an address, never to a name. */
    @FunctionalInterface
    public interface Dialer {
        Socket dial(InetAddress address, int port, Duration limit) throws IOException;
    }

    private final EgressSettings settings;
    private final CheckedResolver resolver;
    private final Dialer dialer;
    private final ExecutorService connections = Executors.newVirtualThreadPerTaskExecutor();

    public EgressProxy(EgressSettings settings, Resolver resolver, Dialer dialer) {
        this.settings = settings;
        this.resolver = new CheckedResolver(resolver, settings.privateHosts(), settings.connectTimeout());
        this.dialer = dialer;
    }

    /** With the system's resolver and sockets. */
    public EgressProxy(EgressSettings settings) {
        this(settings, InetAddress::getAllByName, EgressProxy::socket);
    }

    private static Socket socket(InetAddress address, int port, Duration limit) throws IOException {
        Socket socket = new Socket(Proxy.NO_PROXY);
        try {
            socket.setTcpNoDelay(true);
            socket.connect(new InetSocketAddress(address, port), Math.toIntExact(limit.toMillis()));
            return socket;
        } catch (IOException e) {
            socket.close();
            throw e;
        }
    }

    EgressSettings settings() {
        return settings;
    }

    /** Serves a worker's new connection; false when there can be none. */
    boolean accept(EgressStream stream, EgressGrant grant) {
        EgressConnection connection = new EgressConnection(this, stream, grant);
        int number = grant.begin(connection);
        if (number == 0) {
            return false;
        }
        try {
            connections.execute(() -> connection.serve(number));
            return true;
        } catch (RejectedExecutionException e) {
            grant.over(connection);
            return false;
        }
    }

    /** Leads a worker's new connection to the plane's API; false when there can be none. */
    boolean acceptForPlane(EgressStream stream, EgressGrant grant) {
        PlanePipe pipe = grant.plane()
                .map(door -> new PlanePipe(this, stream, grant, door))
                .filter(grant::begin)
                .orElse(null);
        if (pipe == null) {
            return false;
        }
        try {
            connections.execute(pipe::serve);
            return true;
        } catch (RejectedExecutionException e) {
            grant.over(pipe);
            return false;
        }
    }

    void execute(Runnable task) {
        connections.execute(task);
    }

    /** The address to connect to, checked. */
    InetAddress resolve(NetworkHost host) throws Refusal {
        return switch (resolver.resolve(host.name())) {
            case CheckedResolver.Resolved.Address(var address) -> address;
            case CheckedResolver.Resolved.Unknown(var detail) ->
                throw new Refusal(EgressEvent.Reason.UNRESOLVED, detail);
            case CheckedResolver.Resolved.Forbidden(var address, var range) ->
                throw new Refusal(
                        EgressEvent.Reason.PRIVATE_ADDRESS,
                        "the name resolves to " + address + " (" + range
                                + "); an operator can allow that with plane.egress.private-hosts");
        };
    }

    Socket dial(InetAddress address, int port) throws IOException {
        return dialer.dial(address, port, settings.connectTimeout());
    }

    /** Ends its threads; connections end with their executions. */
    @Override
    public void close() {
        connections.shutdownNow();
        resolver.close();
    }
}
