package io.aiel.plane.gateway.memory;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ProjectId;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.helpers.test.UniAssertSubscriber;
import io.smallrye.mutiny.subscription.UniEmitter;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class MemoryGateTest {
    private static final ProjectId ONE = ProjectId.create();
    private static final ProjectId OTHER = ProjectId.create();

    /** Of which a project alone has half. */
    private final MemoryGate gate = new MemoryGate(4, 4);

    private final List<UniEmitter<? super String>> begun = new ArrayList<>();

    private UniAssertSubscriber<String> call() {
        return call(ONE);
    }

    private UniAssertSubscriber<String> call(ProjectId project) {
        return gate.pass(project, Uni.createFrom().<String>emitter(begun::add))
                .subscribe()
                .withSubscriber(UniAssertSubscriber.create());
    }

    @Test
    void runsSoManyAtOnceAndLetsSoManyWait() {
        UniAssertSubscriber<String> first = call();
        call();
        UniAssertSubscriber<String> third = call();
        call();
        UniAssertSubscriber<String> fifth = call();

        assertThat(begun).hasSize(2);
        assertThat(fifth.getFailure()).isInstanceOfSatisfying(Refusal.class, refusal -> {
            assertThat(refusal.code()).isEqualTo(ErrorCode.RATE_LIMITED);
            assertThat(refusal.headers()).containsEntry("Retry-After", "1");
            assertThat(refusal.detail()).contains("share");
        });
        begun.get(0).complete("one");
        first.assertItem("one");
        assertThat(begun).hasSize(3);
        begun.get(2).fail(new IllegalStateException("of the third"));
        third.assertFailed();
        assertThat(begun).hasSize(4);
    }

    /** Seen to fail: with the turn of a cancelled waiter given to nobody, the next one did not begin. */
    @Test
    void givesTheTurnOfWhoWentAwayToTheNext() {
        UniAssertSubscriber<String> running = call();
        call();
        UniAssertSubscriber<String> waiting = call();
        call();

        waiting.cancel();
        assertThat(begun).hasSize(2);
        running.cancel();

        assertThat(begun).hasSize(3);
        begun.get(1).complete("two");
        begun.get(2).complete("three");
        for (int i = 0; i < 10; i++) {
            UniAssertSubscriber<String> later = call();
            begun.getLast().complete("later");
            later.assertItem("later");
        }
    }

    /** Seen to fail: with a turn given back for the item and again for the cancellation, two began for one that had ended. */
    @Test
    void givesATurnBackOnce() {
        UniAssertSubscriber<String> first = call();
        call();
        begun.get(0).complete("one");
        first.cancel();

        call();
        call();

        assertThat(begun).hasSize(3);
    }

    /** Seen to fail: with places of all together alone, the calls of the other project were refused. */
    @Test
    void leavesTurnsAndPlacesToWaitToOtherProjects() {
        for (int i = 0; i < 20; i++) {
            call();
        }
        assertThat(begun).hasSize(2);

        UniAssertSubscriber<String> other = call(OTHER);
        call(OTHER);

        assertThat(begun).hasSize(3);
        begun.getLast().complete("of the other");
        other.assertItem("of the other");
        assertThat(begun).hasSize(4);
    }

    /** Seen to fail: with the project that had its turn left at the head of the line, all that the first had waiting went before the others. */
    @Test
    void letsProjectsThatWaitHaveTurns() {
        ProjectId third = ProjectId.create();
        MemoryGate narrow = new MemoryGate(1, 100);
        List<String> order = new ArrayList<>();
        List<UniEmitter<? super String>> running = new ArrayList<>();
        for (String name : List.of("a1", "a2", "a3", "a4", "b1", "b2", "c1")) {
            ProjectId project = name.startsWith("a") ? ONE : name.startsWith("b") ? OTHER : third;
            var _ = narrow.pass(project, Uni.createFrom().<String>emitter(emitter -> {
                        order.add(name);
                        running.add(emitter);
                    }))
                    .subscribe()
                    .with(_ -> {});
        }
        for (int i = 0; i < 7; i++) {
            running.removeFirst().complete("done");
        }

        assertThat(order).containsExactly("a1", "a2", "b1", "c1", "a3", "b2", "a4");
    }

    /** What one gives back can be enough for another's share and the own. */
    @Test
    void beginsAllThatMayBeginWhenOneHasEnded() {
        MemoryGate gates = new MemoryGate(5, 100);
        List<UniEmitter<? super String>> running = new ArrayList<>();
        List<ProjectId> projects = List.of(ONE, ONE, ONE, OTHER, ONE, OTHER, ONE, OTHER);
        for (ProjectId project : projects) {
            var _ = gates.pass(project, Uni.createFrom().<String>emitter(running::add))
                    .subscribe()
                    .with(_ -> {});
        }
        int ended = 0;
        while (ended < running.size()) {
            running.get(ended++).complete("done");
        }

        assertThat(running).hasSize(projects.size());
    }
}
