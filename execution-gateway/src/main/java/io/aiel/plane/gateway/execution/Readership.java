package io.aiel.plane.gateway.execution;

import io.aiel.plane.gateway.execution.ExecutionAnswer.Refused;
import io.aiel.plane.policy.PolicyEngine;
import io.aiel.plane.policy.PolicyInput;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.Principal;
import io.smallrye.mutiny.Uni;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import org.jboss.logging.Logger;

/**
 * Those who read streams, and whether they still may: a request is let in once, and a stream goes on. Once a second one statement looks up the
 * tokens of all of them, however many they are; the policy is asked again about those alone whose rights are other than they were. Whoever may not
 * read any more is told why.
 *
 * <p>Thread-safe. Asks nothing while nobody reads.
 */
final class Readership {
    private static final Logger LOG = Logger.getLogger(Readership.class);
    /** Half of what a revoked token may go on to work for at most. */
    static final Duration LOOK_EVERY = Duration.ofSeconds(1);

    /** A database that cannot be asked for less than this ends no stream: a failover would end them all. */
    static final Duration UNKNOWN_MAX = Duration.ofSeconds(10);

    private final TokenStanding standing;
    private final PolicyEngine policy;
    private final Clock clock;
    private final Duration lookEvery;
    private final LongSupplier nanoTime;
    private final Set<Reader> readers = ConcurrentHashMap.newKeySet();
    private final AtomicBoolean looking = new AtomicBoolean();

    Readership(TokenStanding standing, PolicyEngine policy, Clock clock, Duration lookEvery, LongSupplier nanoTime) {
        this.standing = standing;
        this.policy = policy;
        this.clock = clock;
        this.lookEvery = lookEvery;
        this.nanoTime = nanoTime;
    }

    /** Who reads the records of an execution, for as long as there are any to take. */
    void ofRecords(Caller caller, ExecutionId execution, EventSource records, Consumer<Refused> onLoss) {
        enter(caller, records, now -> mayRead(now, execution), onLoss);
    }

    /**
     * Who reads something else, for as long as there is any to take.
     *
     * @param policyNow what the policy says of it, when it is asked with the rights that the caller has then
     * @param onLoss called once, on any thread
     */
    void enter(Caller caller, EventSource source, Function<Caller, Decision> policyNow, Consumer<Refused> onLoss) {
        readers.add(new Reader(caller, source, policyNow, onLoss));
        again();
    }

    /** How many there are. */
    int size() {
        return readers.size();
    }

    /** As a request for the records would be decided. */
    private Decision mayRead(Caller caller, ExecutionId execution) {
        return policy.decide(new PolicyInput(
                caller.principal(),
                "execution.read",
                Optional.of(caller.scope()),
                Optional.empty(),
                execution.value(),
                Optional.empty(),
                Optional.empty(),
                false,
                false,
                0,
                clock.instant(),
                caller.sourceAddress(),
                caller.traceId(),
                caller.requestId()));
    }

    // ---- once a second

    private void again() {
        if (!readers.isEmpty() && looking.compareAndSet(false, true)) {
            Uni.createFrom()
                    .voidItem()
                    .onItem()
                    .delayIt()
                    .by(lookEvery)
                    .chain(this::look)
                    .onTermination()
                    .invoke(() -> looking.set(false))
                    .subscribe()
                    .with(_ -> again(), failure -> {
                        LOG.error("the readers of streams could not be looked at", failure);
                        again();
                    });
        }
    }

    /** Looks at all of them once. Does not fail when nothing could be found out. */
    Uni<Void> look() {
        readers.removeIf(Reader::isOver);
        List<Reader> all = List.copyOf(readers);
        if (all.isEmpty()) {
            return Uni.createFrom().voidItem();
        }
        return standing.now(all.stream().map(Reader::held).collect(Collectors.toSet()))
                .invoke(found -> all.forEach(reader -> reader.judge(Optional.ofNullable(found.get(reader.held())))))
                .replaceWithVoid()
                .onFailure()
                .recoverWithUni(failure -> {
                    LOG.warnf("whether streams may go on cannot be looked up: %s", failure.toString());
                    all.forEach(Reader::unknown);
                    return Uni.createFrom().voidItem();
                });
    }

    /** One of them. Judged by one thread at a time. */
    private final class Reader {
        private final Caller caller;
        private final EventSource source;
        private final Function<Caller, Decision> policyNow;
        private final Consumer<Refused> onLoss;
        private final TokenStanding.Held held;
        private volatile Principal allowed;
        private volatile long knownAt;

        Reader(Caller caller, EventSource source, Function<Caller, Decision> policyNow, Consumer<Refused> onLoss) {
            this.caller = caller;
            this.source = source;
            this.policyNow = policyNow;
            this.onLoss = onLoss;
            this.held = new TokenStanding.Held(caller.principal().tokenId(), caller.scope());
            this.allowed = caller.principal();
            this.knownAt = nanoTime.getAsLong();
        }

        TokenStanding.Held held() {
            return held;
        }

        boolean isOver() {
            return source.isOver();
        }

        void judge(Optional<Principal> now) {
            if (now.isEmpty()) {
                lose(
                        ErrorCode.UNAUTHENTICATED,
                        "The token of this stream was revoked or has expired, or is not for this project any more.");
            } else if (now.get().equals(allowed)) {
                knownAt = nanoTime.getAsLong();
            } else {
                judge(now.get());
            }
        }

        private void judge(Principal now) {
            switch (policyNow.apply(caller.as(now))) {
                case Decision.Allow _ -> {
                    allowed = now;
                    knownAt = nanoTime.getAsLong();
                }
                case Decision.Deny deny ->
                    lose(
                            Admission.denialOf(deny),
                            "The policy does not allow this stream any more: " + String.join("; ", deny.reasons()));
            }
        }

        void unknown() {
            if (nanoTime.getAsLong() - knownAt > UNKNOWN_MAX.toNanos()) {
                lose(ErrorCode.NOT_READY, "Whether this stream may go on cannot be looked up now; come again shortly.");
            }
        }

        private void lose(ErrorCode code, String detail) {
            if (readers.remove(this)) {
                onLoss.accept(new Refused(code, detail, Optional.empty()));
            }
        }
    }
}
