package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.audit.AuditChain;
import io.aiel.plane.gateway.execution.ExecutionWait.TooManyWait;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.DecisionId;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Obligations;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.smallrye.mutiny.helpers.test.UniAssertSubscriber;
import io.vertx.core.json.JsonObject;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

/** Who may wait for an execution to end, where there are four places. */
class ExecutionWaitTest extends ExecutionsOnPostgres {
    private static final Duration LONG = Duration.ofSeconds(60);

    private final Server server = new Server("node");
    private final ExecutionWait wait = new ExecutionWait(new ExecutionQueries(pool, LIMIT), server.live, 4);

    /** An execution of a project of its own; it runs here. */
    private record Running(ProjectScope scope, Started started) {}

    private Running begin() {
        ProjectScope scope = new ProjectScope(SCOPE.tenant(), SCOPE.workspace(), ProjectId.create());
        ExecutionId id = ExecutionId.create();
        AuditChain chain = AuditChain.begin(CODEC, context(), id);
        Decision allow = new Decision.Allow(
                DecisionId.create(), Digest.of("policy"), new JsonText("{}"), List.of(), Obligations.NONE);
        server.live.add(id);
        assertThat(await(server.journal.write(
                        server.admission(id, chain, allow, Optional.empty(), Instant.now(), scope, Optional.empty()))))
                .isTrue();
        return new Running(scope, new Started(id, chain));
    }

    private void end(Running running) {
        assertThat(await(server.close(running.started()))).isTrue();
        server.live.remove(running.started().id());
    }

    private UniAssertSubscriber<Optional<JsonObject>> find(Running running, Duration atMost) {
        return wait.find(running.scope(), running.started().id(), PrincipalId.create(), atMost)
                .subscribe()
                .withSubscriber(UniAssertSubscriber.create());
    }

    /** A caller who has a place. */
    private UniAssertSubscriber<Optional<JsonObject>> waits(Running running) {
        long before = wait.waiting();
        UniAssertSubscriber<Optional<JsonObject>> caller = find(running, LONG);
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (wait.waiting() == before) {
            assertThat(System.nanoTime()).as("it does not wait").isLessThan(deadline);
            caller.assertNotTerminated();
            LockSupport.parkNanos(Duration.ofMillis(1).toNanos());
        }
        return caller;
    }

    private TooManyWait refused(Running running) {
        return (TooManyWait) find(running, LONG).awaitFailure(LIMIT).getFailure();
    }

    /** Seen to fail: with the places shared by nobody, the loud project had all four of them. */
    @Test
    void leavesPlacesToOtherProjectsWhenOneHasAllThatItMay() {
        Running loud = begin();
        UniAssertSubscriber<Optional<JsonObject>> first = waits(loud);
        waits(loud);

        TooManyWait third = refused(loud);
        assertThat(third.code()).isEqualTo(ErrorCode.RATE_LIMITED);
        assertThat(third.detail()).contains("share");
        assertThat(find(loud, Duration.ZERO).awaitItem(LIMIT).getItem()).isPresent();
        Running polite = begin();
        UniAssertSubscriber<Optional<JsonObject>> other = waits(polite);

        first.cancel();
        waits(loud);
        end(polite);
        assertThat(other.awaitItem(LIMIT).getItem())
                .hasValueSatisfying(row -> assertThat(row.getString("status")).isEqualTo("succeeded"));
    }

    /** Seen to fail: with the place given back for the item and again for the cancellation, which the other caller still had. */
    @Test
    void givesAPlaceBackOnce() {
        Running running = begin();
        waits(running);
        UniAssertSubscriber<Optional<JsonObject>> other = find(running, Duration.ofMillis(200));
        other.awaitItem(LIMIT);
        other.cancel();

        assertThat(wait.waiting()).isEqualTo(1);
    }

    @Test
    void tellsWhoHasNothingThatTheServerIsFull() {
        for (int i = 0; i < 4; i++) {
            waits(begin());
        }

        assertThat(refused(begin()).code()).isEqualTo(ErrorCode.CAPACITY_EXHAUSTED);
    }
}
