package io.aiel.plane.hydrator.egress;

import io.aiel.plane.hydrator.EgressEvent;
import io.aiel.plane.hydrator.PlaneAccess;
import io.aiel.plane.vocabulary.NetworkHost;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;

/**
 * What one execution may reach, and how much it has used of it. It begins when the execution is handed to its worker and ends with it:
 * {@link #end} closes every connection that is left. Thread-safe.
 */
public final class EgressGrant {
    /** Connections to the plane's API that one execution may have at once. */
    private static final int PIPES_MAX = 64;

    private final Set<NetworkHost> hosts;
    private final Function<EgressEvent, CompletionStage<Boolean>> recorder;
    private final EgressSettings settings;
    private final Optional<PlaneAccess.Door> plane;
    private final AtomicLong sent = new AtomicLong();
    private final AtomicLong received = new AtomicLong();

    private final ReentrantLock lock = new ReentrantLock();
    // Under the lock:
    private final Set<EgressConnection> open = new HashSet<>();
    private final Set<PlanePipe> pipes = new HashSet<>();
    private int connections;
    private boolean ended;

    /**
     * @param hosts by name and port
     * @param recorder makes an event durable; what it answers false to does not happen
     * @param plane the way to the plane's own API, when the execution may use that
     */
    public EgressGrant(
            Collection<NetworkHost> hosts,
            Function<EgressEvent, CompletionStage<Boolean>> recorder,
            EgressSettings settings,
            Optional<PlaneAccess.Door> plane) {
        this.plane = plane;
        this.hosts = Set.copyOf(hosts);
        this.recorder = recorder;
        this.settings = settings;
    }

    boolean allows(NetworkHost host) {
        return hosts.contains(host);
    }

    Optional<PlaneAccess.Door> plane() {
        return plane;
    }

    /** Whether the execution may have this connection to the API, too. */
    boolean begin(PlanePipe pipe) {
        lock.lock();
        try {
            return !ended && pipes.size() < PIPES_MAX && pipes.add(pipe);
        } finally {
            lock.unlock();
        }
    }

    void over(PlanePipe pipe) {
        lock.lock();
        try {
            pipes.remove(pipe);
        } finally {
            lock.unlock();
        }
    }

    CompletionStage<Boolean> record(EgressEvent event) {
        return recorder.apply(event);
    }

    /** The number of a new connection; 0 when there may be none. The first above the limit has a number too, to be recorded by. */
    int begin(EgressConnection connection) {
        lock.lock();
        try {
            if (ended || connections > settings.connectionsMax()) {
                return 0;
            }
            open.add(connection);
            return ++connections;
        } finally {
            lock.unlock();
        }
    }

    boolean overLimit(int number) {
        return number > settings.connectionsMax();
    }

    /** Whether more are open than may be; those that come then are refused, and recorded like any refusal. */
    boolean crowded() {
        lock.lock();
        try {
            return open.size() > settings.openMax();
        } finally {
            lock.unlock();
        }
    }

    void over(EgressConnection connection) {
        lock.lock();
        try {
            open.remove(connection);
        } finally {
            lock.unlock();
        }
    }

    /** Counts bytes to be sent; false when they are more than the execution may send. */
    boolean sends(int count) {
        return sent.addAndGet(count) <= settings.sentBytesMax();
    }

    boolean receives(int count) {
        return received.addAndGet(count) <= settings.receivedBytesMax();
    }

    /**
     * The execution is over: no new connection, and those that are open are closed on the outside before this returns, which waits for no
     * worker. {@link EgressChannel#settle} says when the worker has been told.
     */
    public void end() {
        List<EgressConnection> left;
        List<PlanePipe> leftPipes;
        lock.lock();
        try {
            ended = true;
            left = new ArrayList<>(open);
            open.clear();
            leftPipes = List.copyOf(pipes);
        } finally {
            lock.unlock();
        }
        leftPipes.forEach(PlanePipe::end);
        left.forEach(connection -> connection.end(EgressEvent.How.EXECUTION_ENDED));
    }
}
