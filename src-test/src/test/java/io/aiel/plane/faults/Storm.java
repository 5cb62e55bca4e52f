package io.aiel.plane.faults;

import io.aiel.plane.fixtures.Backends;
import io.aiel.plane.fixtures.Command;
import io.aiel.plane.fixtures.Form;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Waiting;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * Kills and freezes the parts of a plane at random, and brings each back after a while, as whoever runs it would. Several may be away
 * at once; one is not hit again before it is back. Each is killed once before chance alone decides. Used by one thread.
 */
final class Storm implements AutoCloseable {
    private static final Duration BACK = Duration.ofMinutes(5);
    private static final Duration CANDIDATES_LIMIT = Duration.ofSeconds(30);

    /** What is hit. */
    enum Part {
        SERVER,
        ZYGOTE,
        WORKER,
        KAFKA,
        POSTGRES
    }

    private final PackagedPlane plane;
    private final Backends backends;
    private final SplittableRandom random;
    private final ExecutorService repairs = Executors.newVirtualThreadPerTaskExecutor();
    private final Map<Part, Future<?>> away = new EnumMap<>(Part.class);
    private final List<Future<?>> all = new ArrayList<>();
    private final Map<String, Integer> done = new ConcurrentSkipListMap<>();
    private final CountDownLatch never = new CountDownLatch(1);

    Storm(PackagedPlane plane, Backends backends, long seed) {
        this.plane = plane;
        this.backends = backends;
        this.random = new SplittableRandom(seed);
    }

    /** How often what happened; complete once it has settled. */
    Map<String, Integer> done() {
        return done;
    }

    /** Lets something happen every few seconds for this long. */
    void rage(Duration length) throws InterruptedException {
        long end = System.nanoTime() + length.toNanos();
        Deque<Part> unhurt = new ConcurrentLinkedDeque<>(List.of(Part.values()));
        while (System.nanoTime() < end) {
            idle(random.nextInt(5_000, 15_000));
            Part chosen = Part.values()[random.nextInt(Part.values().length)];
            boolean freezes = random.nextInt(3) == 0;
            Part waiting = unhurt.pollFirst();
            if (waiting != null) {
                // Behind the others: whoever could not be hit this time comes again.
                unhurt.addLast(waiting);
            }
            Part part = waiting == null ? chosen : waiting;
            boolean frozen = waiting == null && freezes;
            int outage = frozen ? freeze() : random.nextInt(500, 6_000);
            Future<?> before = away.get(part);
            if (before != null && !before.isDone()) {
                continue;
            }
            String what = part + (frozen ? " frozen for " + outage + " ms" : " killed");
            System.out.println("storm: " + what);
            Future<?> repair = repairs.submit(() -> {
                if (happen(part, frozen, outage)) {
                    unhurt.remove(part);
                    done.merge(part + (frozen ? " frozen" : " killed"), 1, Integer::sum);
                }
                return null;
            });
            away.put(part, repair);
            all.add(repair);
        }
    }

    /** Mostly short; now and then as long as a machine that swaps. */
    private int freeze() {
        int longest = Form.current().pick(8_000, 20_000);
        return random.nextInt(4) == 0 ? longest : random.nextInt(1_000, 5_000);
    }

    /** Waits until everything was brought back; fails when something could not be. */
    void settle() throws InterruptedException, ExecutionException {
        for (Future<?> repair : all) {
            repair.get();
        }
    }

    /** Whether there was something that it could happen to. */
    private boolean happen(Part part, boolean frozen, int outage) throws InterruptedException {
        switch (part) {
            case KAFKA -> happen(backends.kafka(), frozen, outage);
            case POSTGRES -> happen(backends.postgres(), frozen, outage);
            case SERVER -> {
                if (frozen) {
                    freeze(plane.process(), outage);
                } else {
                    plane.signal("KILL");
                    startServer();
                }
            }
            case ZYGOTE, WORKER -> {
                List<ProcessHandle> candidates = candidates(part);
                if (candidates.isEmpty()) {
                    return false;
                }
                ProcessHandle one = candidates.get(Math.floorMod(outage, candidates.size()));
                if (frozen) {
                    freeze(one, outage);
                } else {
                    one.destroyForcibly();
                }
            }
        }
        return true;
    }

    /** There are none for a while after the server was hit. */
    private List<ProcessHandle> candidates(Part part) throws InterruptedException {
        long end = System.nanoTime() + CANDIDATES_LIMIT.toNanos();
        List<ProcessHandle> found = part == Part.ZYGOTE ? zygotes(plane) : workers(plane);
        while (found.isEmpty() && System.nanoTime() < end) {
            idle(200);
            found = part == Part.ZYGOTE ? zygotes(plane) : workers(plane);
        }
        return found;
    }

    private void happen(Backends.Server server, boolean frozen, int outage) throws InterruptedException {
        if (frozen) {
            server.freeze();
            idle(outage);
            server.thaw();
        } else {
            server.kill();
            idle(outage);
            server.start();
        }
    }

    private void freeze(ProcessHandle process, int outage) throws InterruptedException {
        signal(process, "STOP");
        idle(outage);
        signal(process, "CONT");
    }

    /** To one that has ended meanwhile there is nothing to say. */
    static void signal(ProcessHandle process, String signal) {
        var _ = Command.of("kill", "-" + signal, Long.toString(process.pid())).run();
    }

    /** As a supervisor does: when the database is away the start fails, and is tried again. */
    private void startServer() {
        Waiting.until(BACK, this::started, Boolean::booleanValue, "a server that starts");
    }

    private boolean started() {
        try {
            plane.startAgain();
            return true;
        } catch (AssertionError | RuntimeException e) {
            System.out.println("storm: the server did not start, and is started again: "
                    + String.valueOf(e.getMessage()).lines().limit(3).toList());
            return false;
        }
    }

    /** The processes that fork workers: the server's child is a launcher, and its child with children is one. */
    static List<ProcessHandle> zygotes(PackagedPlane plane) {
        return plane.process()
                .children()
                .flatMap(ProcessHandle::children)
                .filter(process -> process.children().findAny().isPresent())
                .toList();
    }

    /** The processes that run pushed code. */
    static List<ProcessHandle> workers(PackagedPlane plane) {
        return zygotes(plane).stream().flatMap(ProcessHandle::children).toList();
    }

    private void idle(int milliseconds) throws InterruptedException {
        boolean _ = never.await(milliseconds, TimeUnit.MILLISECONDS);
    }

    @Override
    public void close() {
        repairs.close();
    }
}
