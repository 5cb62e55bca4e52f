package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aiel.plane.audit.AuditChain;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.DecisionId;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/**
 * What a killed server leaves in a real PostgreSQL, and how the next start closes it.
 *
 * <p>Guards "exactly one terminal record". Seen to fail: with {@code and e.status = 'running'} taken out of the closing
 * statement, {@link #writesOneTerminalRecordWhoeverClosesFirst} fails: the second closure takes effect, and only the outbox's
 * unique key keeps its record out.
 */
class ExecutionRecoveryTest extends ExecutionsOnPostgres {
    @Test
    void closesWhatAnEarlierStartOfTheSameNodeLeftRunning() {
        String node = "node-" + UUID.randomUUID();
        Server killed = new Server(node);
        killed.start();
        Started running = killed.admit();
        Started finished = killed.admit();
        await(killed.close(finished));

        int closed = new Server(node).start();

        assertThat(closed).isEqualTo(1);
        assertThat(status(running)).isEqualTo("lost");
        assertThat(status(finished)).isEqualTo("succeeded");
        assertThat(recordTypes(running)).hasSize(2).last().asString().contains("finished");
        assertThat(sequences(running)).containsExactly(1L, 2L);
        assertThat(terminalStatus(running)).isEqualTo("lost");
    }

    /** The announcement may be in the table although its answer came too late: trying again must not fail for ever. */
    @Test
    void startsAgainAfterAnAnswerThatCameTooLate() {
        Server server = new Server("node-" + UUID.randomUUID());
        server.start();

        int closed = server.start();

        assertThat(closed).isZero();
    }

    @Test
    void closesNothingTwice() {
        String node = "node-" + UUID.randomUUID();
        Server killed = new Server(node);
        killed.start();
        Started running = killed.admit();
        new Server(node).start();

        int closedAgain = new Server(node).start();

        assertThat(closedAgain).isZero();
        assertThat(recordTypes(running)).hasSize(2);
    }

    @Test
    void leavesAloneWhatALivingNodeRuns() {
        Server living = new Server("node-" + UUID.randomUUID());
        living.start();
        Started running = living.admit();

        new Server("node-" + UUID.randomUUID()).start();

        assertThat(status(running)).isEqualTo("running");
        assertThat(await(living.close(running))).isTrue();
    }

    @Test
    void closesWhatANodeRanWhoseHeartbeatStopped() {
        Server silent = new Server("node-" + UUID.randomUUID());
        silent.start();
        Started running = silent.admit();
        await(pool.preparedQuery(
                        "update plane_nodes set heartbeat_at = now() - interval '1 minute' where incarnation = (select incarnation from executions where id = $1)")
                .execute(Tuple.of(running.id().value())));

        new Server("node-" + UUID.randomUUID()).start();

        assertThat(status(running)).isEqualTo("lost");
    }

    @Test
    void writesOneTerminalRecordWhoeverClosesFirst() {
        String node = "node-" + UUID.randomUUID();
        Server slow = new Server(node);
        slow.start();
        Started running = slow.admit();
        new Server(node).start();

        boolean effective = await(slow.close(running));

        assertThat(effective).isFalse();
        assertThat(status(running)).isEqualTo("lost");
        assertThat(recordTypes(running)).hasSize(2);
    }

    /** Seen from the stream: what was recorded while it ran, then its end, and no gap between them. */
    @Test
    void continuesAStreamWhereTheDeadServerLeftIt() {
        String node = "node-" + UUID.randomUUID();
        Server killed = new Server(node);
        killed.start();
        Started running = killed.admit();
        assertThat(await(killed.progress(running))).isTrue();
        assertThat(await(killed.progress(running))).isTrue();

        new Server(node).start();

        assertThat(status(running)).isEqualTo("lost");
        assertThat(sequences(running)).containsExactly(1L, 2L, 3L, 4L);
        assertThat(recordTypes(running).getLast()).contains("finished");
    }

    /** Meant to fail: without the comparison of the stream's position in the statements of {@code PostgresExecutionStore}. */
    @Test
    void letsNobodyContinueFromAPlaceWhereTheStreamDoesNotStand() {
        String node = "node-" + UUID.randomUUID();
        Server server = new Server(node);
        server.start();
        Started running = server.admit();
        AuditChain stale = AuditChain.resume(CODEC, context(), running.chain().position());
        assertThat(await(server.progress(running))).isTrue();

        assertThat(await(server.progress(new Started(running.id(), stale)))).isFalse();
        Started old = new Started(running.id(), AuditChain.begin(CODEC, context(), running.id()));
        assertThat(await(server.close(old))).isFalse();
        assertThat(await(server.close(running))).isTrue();
        assertThat(sequences(running)).containsExactly(1L, 2L, 3L);
    }

    @Test
    void recordsNothingOfAnExecutionThatHasEnded() {
        Server server = new Server("node-" + UUID.randomUUID());
        server.start();
        Started running = server.admit();
        assertThat(await(server.close(running))).isTrue();

        assertThat(await(server.progress(running))).isFalse();
        assertThat(sequences(running)).containsExactly(1L, 2L);
    }

    /**
     * The first attempt was committed and its answer was lost. Meant to fail: without the look at the hash the second attempt says that
     * somebody else closed the execution, and the caller of a success is told 502.
     */
    @Test
    void countsAnEarlierAttemptOfTheSameEndAsItsEffect() {
        Server server = new Server("node-" + UUID.randomUUID());
        server.start();
        Started running = server.admit();
        Closure closure = server.closure(running);
        await(server.journal.write(closure));

        boolean effective = await(server.journal.write(closure));

        assertThat(effective).isTrue();
        assertThat(recordTypes(running)).hasSize(2);
    }

    /** The second attempt comes while the first still holds the row, and so sees the row only as it was before both. */
    @Test
    void countsAnEarlierAttemptThatIsStillUnderWayAsItsEffect() {
        Server server = new Server("node-" + UUID.randomUUID());
        server.start();
        Started running = server.admit();
        Closure closure = server.closure(running);
        String first = """
                update executions set status = 'succeeded', finished_at = now(), audit_sequence = $2, audit_hash = $3 where id = $1
                """;
        Tuple reached = Tuple.of(
                running.id().value(),
                closure.position().sequence(),
                closure.position().hash().orElseThrow().value());

        CompletableFuture<Boolean> second = await(pool.withTransaction(holder -> holder.preparedQuery(first)
                .execute(reached)
                .map(_ -> server.journal.write(closure).subscribeAsCompletionStage())
                .call(ExecutionRecoveryTest::someoneWaits)));

        assertThat(second.orTimeout(10, TimeUnit.SECONDS).join()).isTrue();
        assertThat(recordTypes(running)).as("the first was only played").hasSize(1);
    }

    private static Uni<Void> someoneWaits() {
        return pool.query("select count(*) from pg_stat_activity where wait_event_type = 'Lock'")
                .execute()
                .map(rows -> rows.iterator().next().getLong(0))
                .repeat()
                .until(waiting -> waiting > 0)
                .collect()
                .last()
                .replaceWithVoid();
    }

    @Test
    void letsOneOfTwoClosuresInABatchTakeEffect() {
        Server server = new Server("node-" + UUID.randomUUID());
        server.start();
        Started running = server.admit();
        AuditChain other = AuditChain.resume(CODEC, context(), running.chain().position());
        Closure one = server.closure(running);
        Closure two = server.closure(new Started(running.id(), other));

        List<Boolean> effects = await(server.store.write(List.of(one, two)));

        assertThat(effects).containsExactlyInAnyOrder(true, false);
        assertThat(recordTypes(running)).hasSize(2);
        assertThat(lines(running)).isEqualTo(1);
    }

    @Test
    void writesAllOfABatchOrNothing() {
        Server server = new Server("node-" + UUID.randomUUID());
        server.start();
        Started running = server.admit();
        Started finished = server.admit();
        assertThat(await(server.close(finished))).isTrue();
        Closure closure = server.closure(running);
        Admission refused = server.admission(finished.id(), AuditChain.begin(CODEC, context(), finished.id()));

        assertThatThrownBy(() -> await(server.store.write(List.of(closure, refused))))
                .hasMessageContaining("duplicate key");

        assertThat(status(running)).isEqualTo("running");
        assertThat(recordTypes(running)).hasSize(1);
        assertThat(lines(running)).isZero();
        assertThat(await(server.journal.write(closure))).isTrue();
        assertThat(lines(running)).isEqualTo(1);
    }

    /** Found by the storm's oracle: a policy that was not ready after a start was kept as one that had decided. */
    @Test
    void keepsADenialAsItWasAnswered() {
        Server server = new Server("node-" + UUID.randomUUID());
        for (boolean undecided : new boolean[] {true, false}) {
            ExecutionId id = ExecutionId.create();
            Decision denial = new Decision.Deny(
                    DecisionId.create(), Digest.of("policy"), new JsonText("{}"), List.of("no"), undecided);

            assertThat(await(
                            server.journal.write(server.admission(id, AuditChain.begin(CODEC, context(), id), denial))))
                    .isTrue();

            var row = await(pool.preparedQuery("select status, http_status, error_code from executions where id = $1")
                            .execute(Tuple.of(id.value())))
                    .iterator()
                    .next();
            assertThat(row.getString(0)).isEqualTo("denied");
            assertThat(row.getInteger(1)).isEqualTo(undecided ? 503 : 403);
            assertThat(row.getString(2)).isEqualTo(undecided ? "POLICY_UNAVAILABLE" : "POLICY_DENIED");
        }
    }

    private static long lines(Started started) {
        return await(pool.preparedQuery("select count(*) from execution_logs where execution = $1")
                        .execute(Tuple.of(started.id().value())))
                .iterator()
                .next()
                .getLong(0);
    }

    /** Its admission was committed, and its caller was told that it was not: nobody works on it. */
    @Test
    void closesWhatThisStartItselfDoubts() {
        Server server = new Server("node-" + UUID.randomUUID());
        server.start();
        Started doubtful = server.admit();
        Started running = server.admit();
        server.live.remove(doubtful.id());

        int closed = await(server.recovery.sweep());

        assertThat(closed).isEqualTo(1);
        assertThat(status(doubtful)).isEqualTo("lost");
        assertThat(status(running)).isEqualTo("running");
        await(server.close(running));
    }

    /**
     * Meant to fail: with heartbeats written by each server's own clock, the other would close what this one runs.
     */
    @Test
    void takesNobodyForDeadWhoseClockWasSetBack() {
        Clock anHourAgo = Clock.offset(Clock.systemUTC(), Duration.ofHours(-1));
        Server late = new Server("node-" + UUID.randomUUID(), anHourAgo);
        late.start();
        Started running = late.admit();

        int closed = new Server("node-" + UUID.randomUUID()).start();
        await(late.recovery.beat());
        await(new Server("node-" + UUID.randomUUID()).recovery.sweep());

        assertThat(closed).isZero();
        assertThat(status(running)).isEqualTo("running");
        await(late.close(running));
    }

    /** Meant to fail: with a beat that only updates, a server that was forgotten would have all its work closed by the others. */
    @Test
    void isKnownAgainAfterItWasForgotten() {
        Server forgotten = new Server("node-" + UUID.randomUUID());
        forgotten.start();
        Started running = forgotten.admit();
        await(pool.preparedQuery(
                        "delete from plane_nodes where incarnation = (select incarnation from executions where id = $1)")
                .execute(Tuple.of(running.id().value())));

        await(forgotten.recovery.beat());
        await(new Server("node-" + UUID.randomUUID()).recovery.sweep());

        assertThat(status(running)).isEqualTo("running");
        await(forgotten.close(running));
    }

    /** Meant to fail: whoever comes back first after an outage would close what all the others run. */
    @Test
    void takesNobodyForDeadWhenTheDatabaseWasAwayForAllOfThem() {
        Server other = new Server("node-" + UUID.randomUUID());
        other.start();
        Started running = other.admit();
        Server back = new Server("node-" + UUID.randomUUID(), Clock.systemUTC(), Duration.ofMillis(700));
        back.start();
        missABeat(back);
        await(pool.preparedQuery(
                        "update plane_nodes set heartbeat_at = now() - interval '1 minute' where incarnation = (select incarnation from executions where id = $1)")
                .execute(Tuple.of(running.id().value())));

        await(back.recovery.beat());
        await(back.recovery.sweep());

        assertThat(status(running)).isEqualTo("running");
        await(other.close(running));
    }

    /** Somebody holds the table for longer than a beat may take. */
    private static void missABeat(Server server) {
        boolean missed = await(pool.withTransaction(holder -> holder.query("lock table plane_nodes in exclusive mode")
                .execute()
                .chain(() -> server.recovery.beat().onItemOrFailure().transform((_, failure) -> failure != null))));
        assertThat(missed).isTrue();
    }
}
