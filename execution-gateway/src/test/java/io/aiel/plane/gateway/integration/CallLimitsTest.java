package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.vocabulary.ProjectId;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** Each connection has an allowance of its own. */
class CallLimitsTest {
    private static final ProjectId ONE = ProjectId.create();
    private static final ProjectId OTHER = ProjectId.create();

    private final AtomicLong now = new AtomicLong();

    private boolean taken(CallLimits limits, String connection, int perMinute) {
        return taken(limits, ONE, connection, perMinute);
    }

    private boolean taken(CallLimits limits, ProjectId project, String connection, int perMinute) {
        return limits.enter(project, connection, perMinute) instanceof CallLimits.Entry.Taken;
    }

    @Test
    void refusesBeyondTheAllowanceAndSaysWhenToComeAgain() {
        CallLimits limits = new CallLimits(100, 100, now::get);
        for (int i = 0; i < 10; i++) {
            assertThat(taken(limits, "a", 60)).isTrue();
            limits.leave(ONE, "a");
        }

        assertThat(limits.enter(ONE, "a", 60))
                .isInstanceOfSatisfying(
                        CallLimits.Entry.Refused.class,
                        refused -> assertThat(refused.retryAfter()).isEqualTo(Duration.ofSeconds(1)));
        now.addAndGet(Duration.ofSeconds(1).toNanos());
        assertThat(taken(limits, "a", 60)).isTrue();
        assertThat(taken(limits, "a", 60)).isFalse();
    }

    @Test
    void letsOneConnectionNotUseUpTheAllowanceOfAnother() {
        CallLimits limits = new CallLimits(2, 100, now::get);
        assertThat(taken(limits, "a", 600)).isTrue();
        assertThat(taken(limits, "a", 600)).isTrue();
        assertThat(taken(limits, "a", 600)).isFalse();

        assertThat(taken(limits, "b", 600)).isTrue();
        limits.leave(ONE, "a");
        assertThat(taken(limits, "a", 600)).isTrue();
    }

    @Test
    void boundsTheCallsOfAllTogether() {
        CallLimits limits = new CallLimits(10, 2, now::get);
        assertThat(taken(limits, ONE, "a", 600)).isTrue();
        assertThat(taken(limits, OTHER, "b", 600)).isTrue();
        assertThat(taken(limits, ProjectId.create(), "c", 600)).isFalse();
    }

    /** Seen to fail: with the calls of all counted together alone, the project with three connections had all four places. */
    @Test
    void letsAProjectWithManyConnectionsNotTakeWhatAllMayDoAtOnce() {
        CallLimits limits = new CallLimits(2, 4, now::get);
        assertThat(taken(limits, ONE, "a", 600)).isTrue();
        assertThat(taken(limits, ONE, "b", 600)).isTrue();
        assertThat(limits.enter(ONE, "c", 600))
                .isInstanceOfSatisfying(
                        CallLimits.Entry.Refused.class,
                        refused -> assertThat(refused.why()).contains("share"));

        assertThat(taken(limits, OTHER, "d", 600)).isTrue();
        limits.leave(ONE, "a");
        assertThat(taken(limits, ONE, "c", 600)).isTrue();
    }
}
