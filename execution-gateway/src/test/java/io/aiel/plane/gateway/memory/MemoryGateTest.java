package io.aiel.plane.gateway.memory;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.helpers.test.UniAssertSubscriber;
import io.smallrye.mutiny.subscription.UniEmitter;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class MemoryGateTest {
    private final MemoryGate gate = new MemoryGate(2, 2);
    private final List<UniEmitter<? super String>> begun = new ArrayList<>();

    private UniAssertSubscriber<String> call() {
        return gate.pass(Uni.createFrom().<String>emitter(begun::add))
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
}
