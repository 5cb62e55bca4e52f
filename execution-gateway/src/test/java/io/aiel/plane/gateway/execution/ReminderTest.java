package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** What is looked at once after a while, for all who asked for it. */
class ReminderTest {
    private static final Duration WAIT = Duration.ofMillis(5);

    private final List<Runnable> timed = new ArrayList<>();
    private final AtomicInteger ran = new AtomicInteger();

    @Test
    void runsOnceHoweverOftenThatIsAskedForMeanwhile() {
        Reminder reminder = new Reminder((_, task) -> timed.add(task), ran::incrementAndGet);
        reminder.after(WAIT);
        reminder.after(WAIT);

        assertThat(timed).hasSize(1);
        timed.getFirst().run();
        assertThat(ran).hasValue(1);
    }

    /** Seen to fail: where it stays set, what comes after the first time waits for ever. */
    @Test
    void canBeAskedAgainOnceItRunsAlsoByItsTask() {
        List<Reminder> itself = new ArrayList<>();
        Reminder reminder = new Reminder((_, task) -> timed.add(task), () -> {
            if (ran.incrementAndGet() == 1) {
                itself.getFirst().after(WAIT);
            }
        });
        itself.add(reminder);
        reminder.after(WAIT);

        timed.getFirst().run();
        assertThat(timed).hasSize(2);
        timed.get(1).run();
        reminder.after(WAIT);

        assertThat(ran).hasValue(2);
        assertThat(timed).hasSize(3);
    }
}
