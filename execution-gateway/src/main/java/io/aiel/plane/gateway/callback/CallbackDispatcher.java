package io.aiel.plane.gateway.callback;

import io.smallrye.mutiny.Uni;
import java.time.Clock;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.ReentrantLock;
import org.jboss.logging.Logger;

/**
 * Sends what is due, as much at once as this server may, and says what became of it. One claim at a time.
 *
 * <p>Thread-safe; nothing blocks, and nothing foreign is called under the lock.
 */
public final class CallbackDispatcher {
    private static final Logger LOG = Logger.getLogger(CallbackDispatcher.class);
    private static final int GONE = 410;
    private static final double JITTER = 0.2;
    private static final int DOUBLINGS_MAX = 20;

    private final CallbackStore store;
    private final CallbackSecrets secrets;
    private final CallbackCheck check;
    private final CallbackSender sender;
    private final CallbackSettings settings;
    private final Clock clock;

    private final ReentrantLock lock = new ReentrantLock();
    // Under the lock:
    private final Map<String, Integer> held = new HashMap<>();
    private int inHand;
    private boolean claiming;
    private boolean stopped;

    CallbackDispatcher(
            CallbackStore store,
            CallbackSecrets secrets,
            CallbackCheck check,
            CallbackSender sender,
            CallbackSettings settings,
            Clock clock) {
        this.store = store;
        this.secrets = secrets;
        this.check = check;
        this.sender = sender;
        this.settings = settings;
        this.clock = clock;
    }

    /** Looks whether something is due. To be called at intervals. */
    public void look() {
        int room;
        Map<String, Integer> counts;
        lock.lock();
        try {
            room = settings.inHandMax() - inHand;
            if (claiming || stopped || room <= 0) {
                return;
            }
            claiming = true;
            counts = Map.copyOf(held);
        } finally {
            lock.unlock();
        }
        store.claim(room, counts).subscribe().with(this::claimed, failure -> {
            LOG.warnf("it could not be looked for callbacks (%s); it will be again", failure.toString());
            claimed(List.of());
        });
    }

    /** Claims no more. What is being sent goes on, and is sent again by another server if it does not end. */
    public void stop() {
        lock.lock();
        try {
            stopped = true;
        } finally {
            lock.unlock();
        }
    }

    private void claimed(List<CallbackDelivery> claimed) {
        lock.lock();
        try {
            claiming = false;
            for (CallbackDelivery one : claimed) {
                inHand++;
                held.merge(one.lane(), 1, Integer::sum);
            }
        } finally {
            lock.unlock();
        }
        for (CallbackDelivery one : claimed) {
            attempt(one).onTermination().invoke(() -> leave(one)).subscribe().with(_ -> {}, failure -> {
                // Its lease ends, and then it is sent again.
                LOG.warnf("what became of the callback of %s is not known (%s)", one.execution(), failure.toString());
            });
        }
    }

    private void leave(CallbackDelivery one) {
        lock.lock();
        try {
            inHand--;
            held.computeIfPresent(one.lane(), (_, count) -> count == 1 ? null : count - 1);
        } finally {
            lock.unlock();
        }
        look();
    }

    /** What is allowed may have changed since it was asked for, so it is looked at again before each attempt. */
    private Uni<Void> attempt(CallbackDelivery one) {
        return check.refusal(one.scope(), one.url())
                .chain(refusal -> refusal.isPresent()
                        ? store.end(one, false, Optional.empty(), "not_allowed")
                        : secrets.active(one.scope().project())
                                .chain(keys -> keys.isEmpty()
                                        ? unanswered(one, "no_secret")
                                        : sender.send(one, keys, clock.instant().getEpochSecond())
                                                .chain(sent -> after(one, sent))));
    }

    private Uni<Void> after(CallbackDelivery one, CallbackSender.Sent sent) {
        return switch (sent) {
            case CallbackSender.Sent.Unanswered(var why) -> unanswered(one, why);
            case CallbackSender.Sent.Answered(var status)
            when status >= 200 && status < 300 -> store.end(one, true, Optional.of(status), null);
            // The receiver wants no more (Standard Webhooks).
            case CallbackSender.Sent.Answered(var status)
            when status == GONE -> store.end(one, false, Optional.of(status), CallbackStore.STATUS);
            case CallbackSender.Sent.Answered(var status) -> againOrEnd(one, Optional.of(status), CallbackStore.STATUS);
        };
    }

    private Uni<Void> unanswered(CallbackDelivery one, String why) {
        return againOrEnd(one, Optional.empty(), why);
    }

    private Uni<Void> againOrEnd(CallbackDelivery one, Optional<Integer> status, String error) {
        Duration wait = wait(one.attempt());
        boolean inTime = clock.instant().plus(wait).isBefore(one.dueSince().plus(settings.giveUpAfter()));
        return inTime ? store.again(one, status, error, wait) : store.end(one, false, status, error);
    }

    /** Doubles with each attempt; a little apart, so that what failed together does not come back together. */
    private Duration wait(int attempt) {
        long doubled = settings.retryFirst().toMillis() << Math.min(attempt - 1, DOUBLINGS_MAX);
        long millis = Math.min(settings.retryMax().toMillis(), doubled);
        return Duration.ofMillis(
                millis + (long) (millis * JITTER * ThreadLocalRandom.current().nextDouble()));
    }
}
