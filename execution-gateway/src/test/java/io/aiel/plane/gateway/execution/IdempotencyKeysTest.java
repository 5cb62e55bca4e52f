package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.PrincipalId;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.Test;

/** Keys that are claimed with admissions and answered with ends, in a real PostgreSQL, by one server and by several. */
class IdempotencyKeysTest extends ExecutionsOnPostgres {
    private static IdempotencyClaim newClaim() {
        return new IdempotencyClaim(
                new IdempotencyKey(SCOPE.project(), PrincipalId.create(), "key-" + UUID.randomUUID()),
                Digest.of("a request"));
    }

    /** One that is known to be alive: the sweep of another test's server, on the same tables, would close what runs on one that nobody knows. */
    private static Server living() {
        Server server = new Server("node-" + UUID.randomUUID());
        server.start();
        return server;
    }

    /** Seen failing when admissions are inserted whether or not the key was claimed: 64 executions. */
    @Test
    void admitsOneOfManyThatComeAtOnceWithOneKey() {
        Server one = living();
        Server other = living();
        IdempotencyClaim claim = newClaim();
        List<Uni<Optional<Started>>> tries = new ArrayList<>();
        for (int i = 0; i < 32; i++) {
            tries.add(one.admit(claim, Instant.now()));
            tries.add(other.admit(claim, Instant.now()));
        }

        List<Optional<Started>> admitted = await(Uni.join().all(tries).andFailFast());

        List<Started> effective = admitted.stream().flatMap(Optional::stream).toList();
        assertThat(effective).hasSize(1);
        assertThat(await(one.keys.find(claim.key())))
                .get()
                .isInstanceOfSatisfying(
                        IdempotencyKeys.Use.Running.class,
                        use -> assertThat(use.execution())
                                .isEqualTo(effective.getFirst().id()));
        assertThat(count(
                        "select count(*) from executions where idempotency_key = $1",
                        claim.key().text()))
                .isEqualTo(1);
        assertThat(recordTypes(effective.getFirst())).hasSize(1);
    }

    /** Seen failing when the end leaves the key as it is: the execution counts as lost. */
    @Test
    void keepsTheAnswerWithTheEndAndFindsItUnderTheKey() {
        Server server = living();
        IdempotencyClaim claim = newClaim();
        Started started = await(server.admit(claim, Instant.now())).orElseThrow();

        assertThat(await(server.close(started))).isTrue();

        assertThat(await(server.keys.find(claim.key())))
                .contains(new IdempotencyKeys.Use.Answered(claim.fingerprint(), started.id(), 200, ANSWER));
        assertThat(await(server.admit(claim, Instant.now()))).isEmpty();
    }

    @Test
    void keepsTheKeyOfWhatMayHaveRunWhenItsServerDied() {
        String node = "node-" + UUID.randomUUID();
        Server killed = new Server(node);
        killed.start();
        IdempotencyClaim claim = newClaim();
        Started running = await(killed.admit(claim, Instant.now())).orElseThrow();

        Server next = new Server(node);
        assertThat(next.start()).isEqualTo(1);

        assertThat(await(next.keys.find(claim.key())))
                .contains(new IdempotencyKeys.Use.Lost(claim.fingerprint(), running.id()));
        assertThat(await(next.admit(claim, Instant.now()))).isEmpty();
    }

    /** Seen failing when every execution of this start that does not run counts as one that never began. */
    @Test
    void keepsTheKeyOfWhatRanHereAndCouldNotBeClosed() {
        Server server = new Server("node-" + UUID.randomUUID());
        server.start();
        IdempotencyClaim claim = newClaim();
        Started ran = await(server.admit(claim, Instant.now())).orElseThrow();
        server.live.remove(ran.id());

        assertThat(await(server.recovery.sweep())).isEqualTo(1);

        assertThat(await(server.keys.find(claim.key())))
                .contains(new IdempotencyKeys.Use.Lost(claim.fingerprint(), ran.id()));
    }

    /** Seen failing when recovery is never sure that an execution did not begin: the key stays with one that is lost. */
    @Test
    void freesTheKeyOfAnAdmissionWhoseCallerWasToldThatItFailed() {
        Server server = new Server("node-" + UUID.randomUUID());
        server.start();
        IdempotencyClaim claim = newClaim();
        Started neverBegun = await(server.admit(claim, Instant.now())).orElseThrow();
        server.live.notBegun(neverBegun.id());

        assertThat(await(server.recovery.sweep())).isEqualTo(1);

        assertThat(status(neverBegun)).isEqualTo("lost");
        assertThat(await(server.keys.find(claim.key()))).isEmpty();
        assertThat(await(server.admit(claim, Instant.now()))).isPresent();
    }

    /** Seen failing when a key is found whether or not its time is over. */
    @Test
    void forgetsKeysWhoseTimeIsOverAndMeanwhileLetsThemBeUsedAgain() {
        Server server = living();
        Instant yesterday = Instant.now().minus(Duration.ofHours(25));
        IdempotencyClaim again = newClaim();
        IdempotencyClaim never = newClaim();
        IdempotencyClaim running = newClaim();
        await(server.close(await(server.admit(again, yesterday)).orElseThrow()));
        await(server.close(await(server.admit(never, yesterday)).orElseThrow()));
        await(server.admit(running, yesterday));
        IdempotencyClaim kept = newClaim();
        await(server.close(await(server.admit(kept, Instant.now().minus(Duration.ofHours(23))))
                .orElseThrow()));
        assertThat(await(server.keys.find(again.key()))).isEmpty();

        Started second = await(server.admit(again, Instant.now())).orElseThrow();
        await(server.keys.forget());

        assertThat(await(server.keys.find(again.key())))
                .contains(new IdempotencyKeys.Use.Running(again.fingerprint(), second.id()));
        assertThat(keptKeys(never)).isZero();
        assertThat(await(server.keys.find(kept.key()))).as("for a day").isPresent();
        assertThat(keptKeys(running)).as("what still runs keeps its key").isEqualTo(1);
        assertThat(await(server.admit(running, Instant.now()))).isEmpty();
    }

    private static long keptKeys(IdempotencyClaim claim) {
        return count(
                "select count(*) from idempotency_keys where key = $1",
                claim.key().text());
    }

    private static long count(String sql, String parameter) {
        return await(pool.preparedQuery(sql)
                .execute(Tuple.of(parameter))
                .map(rows -> rows.iterator().next().getLong(0)));
    }
}
