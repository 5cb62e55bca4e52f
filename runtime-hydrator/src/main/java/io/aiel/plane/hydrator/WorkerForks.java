package io.aiel.plane.hydrator;

import io.aiel.plane.hydrator.protocol.WorkerLimits;
import io.aiel.plane.vocabulary.Digest;
import java.time.Duration;
import java.util.BitSet;
import java.util.Map;
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
    private final WorkerBundles bundles;
    private final AtomicLong workerNumbers = new AtomicLong();
    private final int slots;
    private final BitSet usedSlots = new BitSet(); // under this object's monitor

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

    WorkerForks(
            HydratorSettings settings,
            WorkerBundles bundles,
            SnapshotStore store,
            WorkerServer server,
            ScheduledExecutorService timer) {
        this.settings = settings;
        this.bundles = bundles;
        this.store = store;
        this.server = server;
        this.timer = timer;
        this.slots = settings.pools().workersMax() * 2 + settings.pools().describesMax() * 2 + 4;
    }

    /** How many workers there may be, those that are ending included. */
    int slots() {
        return slots;
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
            Duration startMax = settings.times().startMax();
            Zygote zygote = bundles.take(bundle, startMax).take(startMax);
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
}
