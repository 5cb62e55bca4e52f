package io.aiel.plane.gateway.overload;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.netflix.concurrency.limits.limit.SettableLimit;
import io.aiel.plane.vocabulary.ProjectId;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;

/** What the gate promises, in virtual time. */
class ExecutionGateTest {
    private static final int LIMIT = 40;
    private static final int RESERVE = LIMIT / 8;
    private static final Duration WAIT_MAX = Duration.ofMillis(500);

    private final VirtualTime time = new VirtualTime();
    private final SettableLimit limit = new SettableLimit(LIMIT);
    private final ExecutionGate gate = gate(1_000);
    private final ProjectId first = ProjectId.create();
    private final ProjectId second = ProjectId.create();

    private ExecutionGate gate(int projectMax) {
        return gate(projectMax, 64);
    }

    private ExecutionGate gate(int projectMax, int waitingMax) {
        return new ExecutionGate(
                new GateSettings(LIMIT, 1, 1_000, projectMax, waitingMax, WAIT_MAX, 2), limit, time, time::now);
    }

    @Test
    void givesAProjectThatIsAloneAllButTheReserve() {
        assertThat(hog()).hasSize(LIMIT - RESERVE);
    }

    /** Seen failing when the limit is the number of places and the reserve is left out. */
    @Test
    void knowsTheSmallestLimitThatGivesALoneProjectSoManyPlaces() {
        for (int places = 1; places < 200; places++) {
            limit.setLimit(ExecutionGate.limitFor(places));
            List<Place> taken = take(first, places);
            time.advance(Duration.ofSeconds(10));
            assertThat(fill(gate, first)).as("places beyond " + places).isEmpty();
            taken.forEach(Place::leave);
        }
    }

    @Test
    void refusesAtOnceWhoHasItsShare() {
        hog();

        assertThat(gate.enter(first).toCompletableFuture())
                .isCompletedWithValue(new Entry.Refused(Entry.Reason.PROJECT));
    }

    @Test
    void hasAPlaceForWhoComesWhileAnotherHoldsTheRest() {
        hog();

        take(second, RESERVE);
    }

    @Test
    void letsWaitWhoHoldsLessThanAnotherAndServesItFirst() {
        List<Place> places = hog();
        take(second, RESERVE);
        CompletableFuture<Entry> waiting = gate.enter(second).toCompletableFuture();
        assertThat(waiting).isNotDone();

        places.getFirst().leave();

        assertThat(waiting).isCompletedWithValueMatching(Place.class::isInstance);
    }

    @Test
    void letsABunchWaitOfAProjectThatIsModestOtherwise() {
        List<Place> places = take(first, LIMIT - RESERVE);
        CompletableFuture<Entry> waiting = gate.enter(first).toCompletableFuture();
        assertThat(waiting).isNotDone();

        places.getFirst().leave();

        assertThat(waiting).isCompletedWithValueMatching(Place.class::isInstance);
    }

    @Test
    void tellsWhoWaitedTooLong() {
        hog();
        take(second, RESERVE);
        CompletableFuture<Entry> waiting = gate.enter(second).toCompletableFuture();

        time.advance(WAIT_MAX);

        assertThat(waiting).isCompletedWithValue(new Entry.Refused(Entry.Reason.WAITED));
        assertThat(gate.state().waiting()).isZero();
    }

    @Test
    void countsAPlaceThatIsLeftTwiceOnce() {
        List<Place> places = hog();

        places.getFirst().leave();
        places.getFirst().leave();
        places.getFirst().leave(1, false);

        assertThat(gate.state().taken()).isEqualTo(places.size() - 1);
    }

    @Test
    void givesOneProjectNoMoreThanItsMost() {
        ExecutionGate capped = gate(7);

        assertThat(fill(capped, first)).hasSize(7);
        assertThat(fill(capped, second)).hasSize(7);
    }

    /** Seen failing when those who wait counted as places that the project has. */
    @Test
    void letsABunchWaitOfAProjectThatHasItsMostAndAsksForLessThanAnother() {
        ExecutionGate capped = gate(7);
        take(capped, second, 1);
        for (int i = 0; i < 30; i++) {
            take(capped, second, 6).forEach(Place::leave);
        }
        List<Place> places = take(capped, first, 7);
        CompletableFuture<Entry> next = foreseen(capped, first).toCompletableFuture();
        CompletableFuture<Entry> last = foreseen(capped, first).toCompletableFuture();
        assertThat(next).isNotDone();
        assertThat(capped.state().taken()).isEqualTo(1 + 7);

        places.getFirst().leave();

        assertThat(next).isCompletedWithValueMatching(Place.class::isInstance);
        assertThat(capped.state().taken()).isEqualTo(1 + 7);
        time.advance(WAIT_MAX);
        assertThat(last)
                .as("it has its most, so the server is not what is full")
                .isCompletedWithValue(new Entry.Refused(Entry.Reason.PROJECT));
    }

    /** Seen failing when whoever holds less than its share was modest: all who overload a server alone then waited half a second. */
    @Test
    void refusesAtOnceWhatIsTooMuchOfAProjectThatIsAlone() {
        Load load = new Load(gate(20, 256), Duration.ofMillis(20));
        load.arrivals(first, 20_000);

        load.run(Duration.ofSeconds(5));

        assertThat(load.mostWaiting()).isZero();
    }

    @Test
    void givesNothingNewWhileALoweredLimitIsBeingReached() {
        List<Place> places = hog();
        limit.setLimit(10);

        assertThat(fill(gate, first)).isEmpty();
        places.subList(0, places.size() - 5).forEach(Place::leave);

        assertThat(fill(gate, first)).hasSize(10 - 1 - 5);
    }

    @Test
    void servesWhoWaitsWhenTheLimitRises() {
        hog();
        take(second, RESERVE);
        CompletableFuture<Entry> waiting = gate.enter(second).toCompletableFuture();

        limit.setLimit(LIMIT * 2);

        assertThat(waiting).isCompletedWithValueMatching(Place.class::isInstance);
    }

    /** Whatever happens in whatever order, the promises hold, and in the end nothing is left over. */
    @RepeatedTest(20)
    void keepsItsPromisesInAnyOrder(RepetitionInfo repetition) {
        Random random = new Random(repetition.getCurrentRepetition());
        List<ProjectId> projects = List.of(first, second, ProjectId.create(), ProjectId.create(), ProjectId.create());
        ExecutionGate capped = gate(30);
        Map<ProjectId, AtomicInteger> held = new HashMap<>();
        List<Place> places = new ArrayList<>();
        int asked = 0;
        AtomicInteger answered = new AtomicInteger();

        for (int step = 0; step < 4_000; step++) {
            switch (random.nextInt(10)) {
                case 0 -> limit.setLimit(1 + random.nextInt(2 * LIMIT));
                case 1 -> time.advance(Duration.ofMillis(random.nextInt(200)));
                case 2, 3, 4 -> {
                    if (!places.isEmpty()) {
                        places.remove(random.nextInt(places.size())).leave();
                    }
                }
                default -> {
                    // The first project asks far more often than the others.
                    ProjectId project = projects.get(random.nextBoolean() ? 0 : random.nextInt(projects.size()));
                    ExecutionGate.State before = capped.state();
                    AtomicInteger mine = held.computeIfAbsent(project, _ -> new AtomicInteger());
                    int heldBefore = mine.get();
                    asked++;
                    CompletableFuture<Entry> entry = capped.enter(project).toCompletableFuture();
                    boolean atOnce = entry.isDone();
                    var _ = entry.thenAccept(given -> {
                        answered.incrementAndGet();
                        if (given instanceof Place place) {
                            mine.incrementAndGet();
                            places.add(place);
                            assertThat(capped.state().taken())
                                    .isLessThanOrEqualTo(capped.state().limit());
                        }
                    });
                    if (atOnce && entry.join() instanceof Entry.Refused) {
                        int free = before.limit() - Math.max(1, before.limit() / 8);
                        assertThat(before.taken() >= free || heldBefore + before.waiting() >= 30)
                                .as("refused only when nothing is free, or at the project's most: %s", before)
                                .isTrue();
                    }
                }
            }
            held.values().forEach(count -> count.set(0));
            places.forEach(place -> held.computeIfAbsent(place.holder().project, _ -> new AtomicInteger())
                    .incrementAndGet());
            assertThat(capped.state().taken()).isEqualTo(places.size());
            assertThat(capped.state().projects())
                    .isLessThanOrEqualTo(capped.state().taken() + capped.state().waiting());
        }
        time.advance(WAIT_MAX);
        while (!places.isEmpty()) {
            places.removeLast().leave();
        }

        assertThat(answered).hasValue(asked);
        assertThat(capped.state().taken()).isZero();
        assertThat(capped.state().projects()).as("idle projects cost nothing").isZero();
    }

    /**
     * One project asks for ten times what the server can do, the other for half of its share: that one is never turned away, and
     * never waits for long.
     *
     * <p>Meant to fail: with places given to whoever comes first.
     */
    @Test
    void turnsNobodyAwayWhoStaysBelowItsShare() {
        Load load = new Load(gate, Duration.ofMillis(20));
        // 40 places of 20 ms are 2000 executions a second.
        load.arrivals(first, 20_000);
        load.arrivals(second, 500);

        load.run(Duration.ofSeconds(20));

        assertThat(load.refused(second)).isZero();
        assertThat(load.done(second)).isGreaterThan(500 * 19);
        assertThat(load.done(first) + load.done(second))
                .as("what the one does not want, the other gets")
                .isGreaterThan((int) (2_000 * 20 * 0.85));
    }

    /**
     * A server that stood still hears all at once what came meanwhile. What is too much for the share of that moment is not too much
     * for a project that uses half of it otherwise.
     *
     * <p>Seen failing when a modest project may want no more than twice its share, and when nobody is displaced from the waiting.
     */
    @Test
    void letsAStoredUpBunchWaitOfAProjectThatUsesLessThanAnother() {
        Load load = new Load(gate, Duration.ofMillis(20));
        load.arrivals(first, 20_000);
        load.bunches(second, 50, Duration.ofMillis(125));

        load.run(Duration.ofSeconds(20));

        assertThat(load.refused(second)).isZero();
        assertThat(load.done(second)).isGreaterThan(50 * 150);
    }

    /** When much begins at once, a server can stand still for longer than half a second. Seen failing with four times the share. */
    @Test
    void letsALargeBunchWaitWhereThereIsRoom() {
        Load load = new Load(gate(1_000, 256), Duration.ofMillis(20));
        load.arrivals(first, 20_000);
        load.bunches(second, 95, Duration.ofMillis(240));

        load.run(Duration.ofSeconds(20));

        assertThat(load.refused(second)).isZero();
        assertThat(load.done(second)).isGreaterThan(95 * 78);
    }

    /**
     * All are slow: what is within half of what there is then needs more places than the share, now and then. Seen failing when
     * modesty is measured by the share alone.
     */
    @Test
    void measuresModestyByTheLargestWhenAllAreSlow() {
        Load load = new Load(gate, Duration.ofMillis(200));
        load.arrivals(first, 2_000);
        load.arrivals(second, 60);

        load.run(Duration.ofSeconds(60));

        assertThat(load.refused(second)).isZero();
    }

    /**
     * What is a quarter of the work needs half of the places and more while the server is slow for some seconds: that is no reason to refuse it.
     *
     * <p>Meant to fail: when modesty is measured by places alone.
     */
    @Test
    void measuresModestyByWhatIsDoneToo() {
        Load load = new Load(gate, Duration.ofMillis(20));
        load.slow(Duration.ofMillis(90), Duration.ofSeconds(3), Duration.ofSeconds(8));
        load.arrivals(first, 20_000);
        load.arrivals(second, 210);

        load.run(Duration.ofSeconds(80));

        assertThat(load.refused(second)).isZero();
    }

    /**
     * Who asks for three times of what there is does not wait for being modest beside one who asks for ten times.
     *
     * <p>Seen failing when what is not quite modest counts as such: less than five times of what another is done with.
     */
    @Test
    void refusesAtOnceAllWhoWantMoreThanThereIs() {
        Load load = new Load(gate, Duration.ofMillis(20));
        load.arrivals(first, 20_000);
        load.arrivals(second, 6_000);

        assertThat(load.waitingOnAverage()).isLessThan(4);
    }

    /** Seen failing, with 98 that wait, when who asks for little beside another counts as such even if it asks for more than it gets. */
    @Test
    void refusesAtOnceWhoAsksForLittleBesideAnotherAndForMoreThanThereIs() {
        Load load = new Load(gate(1_000, 256), Duration.ofMillis(20));
        load.arrivals(first, 40_000);
        load.arrivals(second, 6_000);

        assertThat(load.waitingOnAverage()).isLessThan(25);
    }

    /**
     * Two projects come at once, and for almost half a second nothing is done: what the one asks for is more than it may have in hand, but little
     * beside what the other asks for.
     *
     * <p>Seen failing with what is done as the only measure: 45 were refused.
     */
    @Test
    void letsWaitWhoAsksForLittleBesideAnotherWhenBothHaveJustCome() {
        Load load = new Load(gate(30, 256), Duration.ofMillis(20));
        load.slow(Duration.ofMillis(400), Duration.ofMillis(400), Duration.ofSeconds(60));
        time.advance(Duration.ofMillis(59_600));
        load.arrivals(first, 20_000);
        load.arrivals(second, 200);

        load.run(Duration.ofSeconds(5));

        assertThat(load.refused(second)).isZero();
        assertThat(load.done(second)).isGreaterThan(900);
    }

    /**
     * A loud project for which all was done in a moment in which the server heard of nothing new is not one that is modest otherwise.
     *
     * <p>Seen failing when a project that has nothing in hand is forgotten at once.
     */
    @Test
    void remembersForAShortTimeWhatAProjectHeldThatHasNothingInHand() {
        hog().forEach(Place::leave);
        List<Place> again = take(first, LIMIT - RESERVE);
        assertThat(foreseen(gate, first).toCompletableFuture())
                .isCompletedWithValue(new Entry.Refused(Entry.Reason.PROJECT));

        again.forEach(Place::leave);
        time.advance(Duration.ofSeconds(10));
        take(first, LIMIT - RESERVE);
        assertThat(foreseen(gate, first).toCompletableFuture()).isNotDone();
    }

    /** Seen failing with no bound on how many are remembered, and with no time. */
    @Test
    void remembersFewProjectsAndNoneForLong() {
        for (int i = 0; i < 1_000; i++) {
            take(ProjectId.create(), 1).forEach(Place::leave);
        }
        assertThat(gate.known()).isEqualTo(64);

        time.advance(Duration.ofSeconds(3));
        take(first, 1).forEach(Place::leave);

        assertThat(gate.known()).isEqualTo(1);
        assertThat(gate.state().projects()).isZero();
    }

    @Test
    void givesTheSameToAllWhoWantMoreThanThereIsHoweverMuchTheyAsk() {
        ProjectId third = ProjectId.create();
        Load load = new Load(gate, Duration.ofMillis(20));
        load.arrivals(first, 20_000);
        load.arrivals(second, 3_000);
        load.arrivals(third, 100);

        load.run(Duration.ofSeconds(20));

        assertThat(load.refused(third)).isZero();
        double ratio = (double) load.done(first) / load.done(second);
        assertThat(ratio).isBetween(0.75, 1.4);
    }

    /** Executions that hold their places for a second do not shut out those that need one for a moment. */
    @Test
    void letsTheQuickInBesideTheSlow() {
        Load load = new Load(gate, Duration.ofMillis(10));
        load.arrivals(first, 1_000, Duration.ofSeconds(1));
        load.arrivals(second, 200);

        load.run(Duration.ofSeconds(20));

        assertThat(load.refused(second)).isZero();
    }

    @Test
    void takesPlacesAwayWhenTheServerGetsSlowAndGivesThemBackWhenItRecovers() {
        GateSettings settings = new GateSettings(64, 16, 256, 1_000, 0, Duration.ZERO, 2);
        ExecutionGate adaptive = new ExecutionGate(settings, AdaptiveLimit.of(settings), time, time::now);

        busy(adaptive, Duration.ofMillis(5), Duration.ofSeconds(30));
        int usual = adaptive.state().limit();
        busy(adaptive, Duration.ofMillis(200), Duration.ofSeconds(30));
        int slow = adaptive.state().limit();
        busy(adaptive, Duration.ofMillis(5), Duration.ofSeconds(60));

        assertThat(usual).isGreaterThanOrEqualTo(64);
        assertThat(slow).isLessThanOrEqualTo(20);
        assertThat(adaptive.state().limit()).isGreaterThan(64);
    }

    @Test
    void saysEverythingThatIsWrongWithItsSettings() {
        assertThatThrownBy(() -> new GateSettings(5, 0, -1, 0, -1, Duration.ofMinutes(1), 0))
                .hasMessageContainingAll(
                        "limit-min", "limit-max", "project-max", "waiting-max", "wait-max", "tolerance");
    }

    /** Keeps all places taken and leaves each after the plane took this long. */
    private void busy(ExecutionGate adaptive, Duration own, Duration howLong) {
        long end = time.now() + howLong.toNanos();
        while (time.now() < end) {
            List<Place> places = fill(adaptive, first);
            time.advance(own);
            places.forEach(place -> place.leave(own.toNanos(), false));
        }
    }

    private List<Place> take(ProjectId project, int count) {
        return take(gate, project, count);
    }

    private static List<Place> take(ExecutionGate gate, ProjectId project, int count) {
        List<Place> places = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            CompletableFuture<Entry> entry = gate.enter(project).toCompletableFuture();
            assertThat(entry).isCompletedWithValueMatching(Place.class::isInstance);
            places.add((Place) entry.join());
        }
        return places;
    }

    /** The first project takes all that it may have, and holds it for long. */
    private List<Place> hog() {
        List<Place> places = take(first, LIMIT - RESERVE);
        time.advance(Duration.ofSeconds(10));
        assertThat(fill(gate, first)).isEmpty();
        return places;
    }

    private static List<Place> fill(ExecutionGate gate, ProjectId project) {
        List<Place> places = new ArrayList<>();
        while (true) {
            CompletableFuture<Entry> entry = foreseen(gate, project).toCompletableFuture();
            if (!entry.isDone() || !(entry.join() instanceof Place place)) {
                assertThat(entry)
                        .as("whoever has all it may have does not wait")
                        .isDone();
                return places;
            }
            places.add(place);
        }
    }

    /**
     * Asks for a place, and sees that {@link ExecutionGate#refusal} had told what came of it. Seen failing when it does not know those that
     * wait.
     */
    private static CompletionStage<Entry> foreseen(ExecutionGate gate, ProjectId project) {
        Optional<Entry.Reason> refusal = gate.refusal(project);
        CompletableFuture<Entry> entry = gate.enter(project).toCompletableFuture();
        Optional<Entry.Reason> refused = entry.isDone() && entry.join() instanceof Entry.Refused(var reason)
                ? Optional.of(reason)
                : Optional.empty();
        assertThat(refusal).isEqualTo(refused);
        return entry;
    }

    /** Open-loop arrivals of several projects, at random times with a given mean. */
    private final class Load {
        private final ExecutionGate gate;
        private final Duration usual;
        private final Random random = new Random(7);
        private final List<Runnable> starts = new ArrayList<>();
        private final Map<ProjectId, AtomicInteger> refusals = new HashMap<>();
        private final Map<ProjectId, AtomicInteger> ends = new HashMap<>();
        private long end;
        private int mostWaiting;
        private Duration slowly = Duration.ZERO;
        private Duration slowFor = Duration.ZERO;
        private Duration slowEvery = Duration.ofSeconds(1);

        Load(ExecutionGate gate, Duration usual) {
            this.gate = gate;
            this.usual = usual;
        }

        private boolean isSlow() {
            return time.now() % slowEvery.toNanos() >= slowEvery.toNanos() - slowFor.toNanos();
        }

        /** At the end of each of these times all takes that long. */
        void slow(Duration service, Duration howLong, Duration every) {
            slowly = service;
            slowFor = howLong;
            slowEvery = every;
        }

        void arrivals(ProjectId project, int perSecond) {
            arrivals(project, perSecond, usual);
        }

        void arrivals(ProjectId project, int perSecond, Duration service) {
            starts.add(() -> next(project, perSecond, service));
        }

        void bunches(ProjectId project, int size, Duration every) {
            starts.add(() -> nextBunch(project, size, every));
        }

        private void nextBunch(ProjectId project, int size, Duration every) {
            if (time.now() >= end) {
                return;
            }
            time.after(every, () -> nextBunch(project, size, every));
            for (int i = 0; i < size; i++) {
                arrive(project, usual);
            }
        }

        private void next(ProjectId project, int perSecond, Duration service) {
            if (time.now() >= end) {
                return;
            }
            time.after(
                    Duration.ofNanos((long) (-Math.log(1 - random.nextDouble()) * 1e9 / perSecond)),
                    () -> next(project, perSecond, service));
            arrive(project, service);
        }

        private void arrive(ProjectId project, Duration service) {
            var _ = foreseen(gate, project).thenAccept(entry -> {
                switch (entry) {
                    case Entry.Refused _ -> of(refusals, project).incrementAndGet();
                    case Place place ->
                        time.after(isSlow() ? slowly : service, () -> {
                            place.leave();
                            of(ends, project).incrementAndGet();
                        });
                }
            });
            mostWaiting = Math.max(mostWaiting, gate.state().waiting());
        }

        void run(Duration howLong) {
            end = time.now() + howLong.toNanos();
            starts.forEach(Runnable::run);
            time.advance(howLong);
        }

        /** Runs it for eight seconds; how many wait, from five seconds on for two, looked at every ten milliseconds. */
        double waitingOnAverage() {
            AtomicInteger waited = new AtomicInteger();
            for (int i = 0; i < 200; i++) {
                time.after(
                        Duration.ofMillis(5_000 + 10L * i),
                        () -> waited.addAndGet(gate.state().waiting()));
            }
            run(Duration.ofSeconds(8));
            return waited.get() / 200.0;
        }

        private static AtomicInteger of(Map<ProjectId, AtomicInteger> counts, ProjectId project) {
            return counts.computeIfAbsent(project, _ -> new AtomicInteger());
        }

        int refused(ProjectId project) {
            return of(refusals, project).get();
        }

        int done(ProjectId project) {
            return of(ends, project).get();
        }

        int mostWaiting() {
            return mostWaiting;
        }
    }
}
