package io.aiel.plane.gateway.execution;

import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.audit.AuditTrail;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jboss.logging.Logger;

/**
 * Gives readers the records of executions as these are written. Once a second one statement asks how far all followed executions are, however
 * many readers they have; the records of those that went on are read once for all their readers.
 *
 * <p>Thread-safe. Asks nothing while nobody follows.
 */
public final class ExecutionFollowers {
    private static final Logger LOG = Logger.getLogger(ExecutionFollowers.class);
    private static final Duration LOOK_EVERY = Duration.ofSeconds(1);
    private static final Duration GOING = Duration.ofMinutes(1);
    private static final int RECORDS_AT_ONCE = 200;
    private static final int READS_AT_ONCE = 4;

    private final ExecutionQueries queries;
    private final LiveExecutions live;
    private final Readership readers;
    private final AuditTrail trail;
    private final Limits limits;
    private final Set<Follower> followers = ConcurrentHashMap.newKeySet();
    private final Map<ProjectId, Integer> ofProject = new HashMap<>();
    private final AtomicBoolean looking = new AtomicBoolean();
    private volatile boolean stopping;

    /**
     * How many may follow, and how long.
     *
     * @param longest after which a reader has to come again and say what he has
     */
    public record Limits(int all, int ofOneProject, Duration longest) {}

    public ExecutionFollowers(Executions executions, AuditTrail trail, Limits limits) {
        this.queries = executions.queries();
        this.live = executions.live();
        this.readers = executions.service().readers();
        this.trail = trail;
        this.limits = limits;
    }

    /** What somebody who wants to follow is told. */
    public sealed interface Answer {
        /** Here they are, and come. */
        record Following(EventSource records) implements Answer {}

        /** It has ended, and the reader has all its records. */
        record NothingMore() implements Answer {}

        /** The project has none with this id. */
        record Unknown() implements Answer {}

        /** So many follow that one more would be too many. */
        record TooMany(ErrorCode code, String detail) implements Answer {}
    }

    /**
     * Lets somebody follow who may read the execution's records now, for as long as he may.
     *
     * @param after the sequence of the last record that the reader has; 0 for none
     * @param problem the document that stands for a refusal
     */
    public Uni<Answer> follow(
            Caller caller, ExecutionId id, long after, Function<ExecutionAnswer.Refused, JsonText> problem) {
        return queries.standing(caller.scope(), id).map(found -> {
            if (found.isEmpty()) {
                return new Answer.Unknown();
            }
            ExecutionQueries.Standing standing = found.get();
            if (standing.over() && standing.sequence() <= after) {
                return new Answer.NothingMore();
            }
            return begin(caller, id, after, problem);
        });
    }

    private Answer begin(
            Caller caller, ExecutionId id, long after, Function<ExecutionAnswer.Refused, JsonText> problem) {
        ProjectScope scope = caller.scope();
        Follower follower = new Follower(
                scope, id, after, System.nanoTime() + limits.longest().toNanos(), this::left);
        synchronized (ofProject) {
            int project = ofProject.getOrDefault(scope.project(), 0);
            if (followers.size() >= limits.all()) {
                return new Answer.TooMany(
                        ErrorCode.CAPACITY_EXHAUSTED,
                        "The server has all the followers of executions that it can take.");
            }
            if (project >= limits.ofOneProject()) {
                return new Answer.TooMany(
                        ErrorCode.RATE_LIMITED, "The project has as many followers of executions as it may have.");
            }
            ofProject.put(scope.project(), project + 1);
            followers.add(follower);
        }
        readers.ofRecords(
                caller,
                id,
                follower.events(),
                refused -> follower.refuse(problem.apply(refused).value()));
        begin(look(List.of(follower)));
        return new Answer.Following(follower.events());
    }

    private void left(Follower follower) {
        synchronized (ofProject) {
            if (followers.remove(follower)) {
                ofProject.computeIfPresent(follower.scope().project(), (_, count) -> count > 1 ? count - 1 : null);
            }
        }
    }

    /** The server stops: sends all away, or its stop would wait for them. They go on at another. */
    public void stop() {
        stopping = true;
        followers.forEach(Follower::end);
    }

    /** How many there are. */
    public int size() {
        return followers.size();
    }

    // ---- once a second

    /** Looks now, and again and again as long as anybody follows; one round after the other. */
    private void begin(Uni<Void> first) {
        first.subscribe().with(_ -> again(), this::failed);
    }

    private void again() {
        if (!followers.isEmpty() && looking.compareAndSet(false, true)) {
            Uni.createFrom()
                    .voidItem()
                    .onItem()
                    .delayIt()
                    .by(LOOK_EVERY)
                    .chain(this::round)
                    .onTermination()
                    .invoke(() -> looking.set(false))
                    .subscribe()
                    .with(_ -> again(), this::failed);
        }
    }

    private void failed(Throwable failure) {
        LOG.debugf("followed executions could not be looked at: %s", failure.toString());
        again();
    }

    private Uni<Void> round() {
        long now = System.nanoTime();
        boolean stops = stopping || live.draining();
        followers.stream().filter(one -> stops || one.isDue(now)).forEach(Follower::end);
        // One that was told and did not go takes what he had too slowly, or is nobody any more.
        followers.stream().filter(one -> one.isDue(now - GOING.toNanos())).forEach(Follower::leave);
        return look(followers.stream().filter(Follower::isHungry).toList());
    }

    private Uni<Void> look(Collection<Follower> hungry) {
        if (hungry.isEmpty()) {
            return Uni.createFrom().voidItem();
        }
        Map<ExecutionId, List<Follower>> byExecution =
                hungry.stream().collect(Collectors.groupingBy(Follower::execution));
        return queries.standings(byExecution.keySet())
                .chain(standings -> Multi.createFrom()
                        .iterable(standings.entrySet())
                        .onItem()
                        .transformToUni(entry -> serve(
                                entry.getKey(), entry.getValue(), byExecution.getOrDefault(entry.getKey(), List.of())))
                        .merge(READS_AT_ONCE)
                        .onItem()
                        .ignoreAsUni());
    }

    private Uni<Void> serve(ExecutionId id, ExecutionQueries.Standing standing, List<Follower> theirs) {
        long least = theirs.stream().mapToLong(Follower::given).min().orElse(standing.sequence());
        Uni<List<AuditRecord>> records = least < standing.sequence()
                ? trail.executionEvents(theirs.getFirst().scope().tenant(), id, least, RECORDS_AT_ONCE)
                : Uni.createFrom().item(List.of());
        return records.invoke(found -> theirs.forEach(one -> {
                    if (!found.isEmpty()) {
                        one.give(found);
                    }
                    if (standing.over() && one.given() >= standing.sequence()) {
                        one.end();
                    }
                }))
                .replaceWithVoid();
    }
}
