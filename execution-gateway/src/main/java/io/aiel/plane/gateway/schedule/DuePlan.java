package io.aiel.plane.gateway.schedule;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What is to be begun of a schedule now.
 *
 * @param fire the due times whose runs are to be begun, the oldest first
 * @param missed the newest due time that is passed over, if any is
 * @param next when it is to be looked at again; empty when it is never due again
 */
record DuePlan(List<Instant> fire, Optional<Instant> missed, Optional<Instant> next) {
    /** Begun at once; what remains, the next look finds. */
    static final int FIRED_AT_ONCE = 10;

    /** Of what is never due again. */
    static final DuePlan NOTHING = new DuePlan(List.of(), Optional.empty(), Optional.empty());

    DuePlan {
        fire = List.copyOf(fire);
    }

    /**
     * @param nextAt the first due time that was not dealt with
     * @param window how old a due time may be that is made up for
     * @param grace how old one may be that counts as in time
     */
    static DuePlan of(
            Recurrence recurrence, Instant nextAt, Instant now, CatchUp catchUp, Duration window, Duration grace) {
        Instant inTime = now.minus(grace);
        Instant oldest = catchUp == CatchUp.NONE || window.compareTo(grace) < 0 ? inTime : now.minus(window);
        Optional<Instant> missed = Optional.empty();
        Optional<Instant> at = Optional.of(nextAt);
        if (nextAt.isBefore(oldest)) {
            missed = at;
            at = recurrence.after(oldest);
        }
        List<Instant> due = new ArrayList<>();
        while (at.isPresent() && !at.get().isAfter(now)) {
            due.add(at.get());
            at = recurrence.after(at.get());
        }
        List<Instant> fire = new ArrayList<>();
        for (int i = 0; i < due.size(); i++) {
            boolean last = i == due.size() - 1;
            if (catchUp == CatchUp.LAST && !last && due.get(i).isBefore(inTime)) {
                missed = Optional.of(due.get(i));
            } else {
                fire.add(due.get(i));
            }
        }
        return fire.size() <= FIRED_AT_ONCE
                ? new DuePlan(fire, missed, at)
                : new DuePlan(fire.subList(0, FIRED_AT_ONCE), missed, Optional.of(fire.get(FIRED_AT_ONCE)));
    }
}
