package io.aiel.plane.hydrator;

import io.aiel.plane.hydrator.protocol.WorkerLimits;
import io.aiel.plane.vocabulary.Digest;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Makes workers: leases the snapshot's files, takes a slot (as root: a user id), and has the zygote of the bundle fork. Thread-safe;
 * what forks blocks, and belongs on a virtual thread.
 */
final class WorkerForks {
    private final HydratorSettings settings;
    private final SnapshotStore store;
    private final WorkerServer server;
    private final ScheduledExecutorService timer;
    private final Map<String, Zygotes> bundles = new ConcurrentHashMap<>();
    private final AtomicLong workerNumbers = new AtomicLong();
    private final int slots;
    // Under this object's monitor:
    private final BitSet usedSlots = new BitSet();
    private boolean closed;

    /** An owner of a worker that belongs to no pool. */
    private final class Single implements Worker.Owner {
        @Override
        public void started(Worker worker, Worker.Start start) {}

        @Override
        public void finished(Worker worker, boolean usable) {}

        @Override
        public void gone(Worker worker) {
            release(worker);
        }
    }

    WorkerForks(HydratorSettings settings, SnapshotStore store, WorkerServer server, ScheduledExecutorService timer) {
        this.settings = settings;
        this.store = store;
        this.server = server;
        this.timer = timer;
        this.slots = settings.pools().workersMax() * 2 + settings.pools().describesMax() * 2 + 4;
    }

    /** How many workers there may be, those that are ending included. */
    int slots() {
        return slots;
    }

    /** Takes the zygotes of a bundle over, to close them too; false when this is closed already. */
    synchronized boolean add(String bundle, Zygotes zygotes) {
        if (!closed) {
            bundles.put(bundle, zygotes);
        }
        return !closed;
    }

    boolean has(String bundle) {
        return bundles.containsKey(bundle);
    }

    /** Why no worker of some bundle can be made now; empty when all can. */
    String trouble() {
        for (Zygotes zygotes : bundles.values()) {
            if (zygotes.now().isEmpty()) {
                String why = zygotes.trouble();
                return why.isEmpty() ? "the fork server is being replaced" : why;
            }
        }
        return "";
    }

    /** A worker of a pool, loading. Whoever owns it hears of its start. */
    Worker fork(PoolKey key, Worker.Owner owner) throws HydratorFailure, InterruptedException {
        WorkerLimits limits = settings.limits().atMostMemory(key.memoryBytes());
        return spawn(store.lease(key.snapshot()), key.bundle(), owner, key.profile(), limits, key.snapshotId());
    }

    /** A worker outside of the pools, loading. The caller stops it. */
    Worker single(SnapshotFiles files, WorkerLimits limits) throws HydratorFailure, InterruptedException {
        return spawn(store.lease(files), files.bundle(), new Single(), Profile.DEFAULT, limits, "");
    }

    /** Likewise, with the files' bytes at hand. */
    Worker single(SnapshotFiles files, Map<Digest, byte[]> blobs, WorkerLimits limits)
            throws HydratorFailure, InterruptedException {
        SnapshotStore.Lease lease = store.lease(files, blobs);
        return spawn(lease, files.bundle(), new Single(), Profile.DEFAULT, limits, "");
    }

    /** Forks a worker. Owns the lease from now on, also when it fails. */
    private Worker spawn(
            SnapshotStore.Lease lease,
            String bundle,
            Worker.Owner owner,
            Profile profile,
            WorkerLimits limits,
            String snapshotId)
            throws HydratorFailure, InterruptedException {
        boolean done = false;
        int slot = -1;
        try {
            Zygotes zygotes = bundles.get(bundle);
            if (zygotes == null) {
                throw new HydratorFailure("this server has no worker bundle named " + bundle);
            }
            Zygote zygote = zygotes.take(settings.times().startMax());
            slot = takeSlot();
            Worker worker = new Worker(
                    "w" + workerNumbers.incrementAndGet(),
                    server.nonce(),
                    server.nonce(),
                    slot,
                    profile,
                    zygote,
                    lease,
                    owner,
                    settings,
                    timer);
            server.expect(worker);
            done = true;
            zygote.spawn(worker, limits, snapshotId);
            return worker;
        } finally {
            if (!done) {
                lease.close();
                if (slot >= 0) {
                    freeSlot(slot);
                }
            }
        }
    }

    private synchronized int takeSlot() throws HydratorFailure {
        int slot = usedSlots.nextClearBit(0);
        if (slot >= slots) {
            throw new HydratorFailure("too many workers are still ending");
        }
        usedSlots.set(slot);
        return slot;
    }

    private synchronized void freeSlot(int slot) {
        usedSlots.clear(slot);
    }

    /** A worker's process is gone: what it had is free. */
    void release(Worker worker) {
        server.forget(worker);
        worker.snapshot().close();
        freeSlot(worker.slot());
    }

    /** Ends all zygotes, and with them their workers. */
    void close() throws InterruptedException {
        synchronized (this) {
            closed = true;
        }
        List<Thread> closing = new ArrayList<>();
        for (Zygotes zygotes : bundles.values()) {
            closing.add(Thread.ofVirtual().start(zygotes::close));
        }
        for (Thread thread : closing) {
            thread.join(settings.times().stopMax().plusSeconds(10));
        }
    }
}
