package io.aiel.plane.hydrator.egress;

import java.net.InetAddress;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Resolves names that connections out of the plane go to, once each, and refuses addresses that no public name rightly has. Whoever connects,
 * connects to the address that was checked here and does not resolve the name again. Thread-safe; blocks within its limit, so never
 * call it on an event loop.
 */
public final class CheckedResolver implements AutoCloseable {
    private static final int RESOLVERS = 8;
    private static final int RESOLVES_WAITING_MAX = 256;

    private final EgressProxy.Resolver resolver;
    private final Set<String> privateHosts;
    private final Duration limit;
    // The resolver of the system blocks without a limit of its own, so it has threads that it may block.
    private final ThreadPoolExecutor resolvers = new ThreadPoolExecutor(
            RESOLVERS,
            RESOLVERS,
            10,
            TimeUnit.SECONDS,
            new ArrayBlockingQueue<>(RESOLVES_WAITING_MAX),
            Thread.ofPlatform().daemon().name("egress-resolve-", 0).factory());

    /**
     * @param privateHosts names that may resolve to private, loopback or otherwise reserved addresses
     * @param limit for resolving one name
     */
    public CheckedResolver(EgressProxy.Resolver resolver, Set<String> privateHosts, Duration limit) {
        this.resolver = resolver;
        this.privateHosts = Set.copyOf(privateHosts);
        this.limit = limit;
        resolvers.allowCoreThreadTimeOut(true);
    }

    /** With the system's resolver. */
    public CheckedResolver(Set<String> privateHosts, Duration limit) {
        this(InetAddress::getAllByName, privateHosts, limit);
    }

    /** What came of a name. */
    public sealed interface Resolved {
        /** The one to connect to, checked. */
        record Address(InetAddress address) implements Resolved {}

        /** It has none, or it was not found in time. */
        record Unknown(String detail) implements Resolved {}

        /**
         * It has one that it cannot rightly have.
         *
         * @param address as text
         * @param range what the address is, such as {@code loopback}
         */
        record Forbidden(String address, String range) implements Resolved {}
    }

    /** The address to connect to, checked. */
    public Resolved resolve(String name) {
        Future<InetAddress[]> answer;
        InetAddress[] addresses;
        try {
            answer = resolvers.submit(() -> resolver.resolve(name));
            addresses = answer.get(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException | RejectedExecutionException e) {
            return new Resolved.Unknown("the name has no address");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return new Resolved.Unknown("the server stops");
        }
        if (addresses.length == 0) {
            return new Resolved.Unknown("the name has no address");
        }
        // All of them: a name that is public and private at once is an attack or a mistake.
        for (InetAddress address : addresses) {
            Optional<String> why = AddressRules.refusal(address.getAddress());
            if (why.isPresent() && !privateHosts.contains(name)) {
                return new Resolved.Forbidden(address.getHostAddress(), why.get());
            }
        }
        return new Resolved.Address(addresses[0]);
    }

    @Override
    public void close() {
        resolvers.shutdownNow();
    }
}
