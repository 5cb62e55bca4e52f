package io.aiel.plane.gateway.loops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.smallrye.mutiny.Uni;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class EventLoopsTest {
    private static final int LOOPS = 3;
    private static final int LIMIT_SECONDS = 10;

    private final Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(LOOPS));
    private final EventLoops loops = new EventLoops(vertx);

    @AfterEach
    void close() {
        vertx.close().toCompletionStage().toCompletableFuture().join();
    }

    @Test
    void takesTheLoopsInTurn() throws Exception {
        Set<String> threads = ConcurrentHashMap.newKeySet();
        CountDownLatch done = new CountDownLatch(2 * LOOPS);

        for (int task = 0; task < 2 * LOOPS; task++) {
            loops.execute(() -> {
                threads.add(Thread.currentThread().getName());
                done.countDown();
            });
        }

        assertThat(done.await(LIMIT_SECONDS, TimeUnit.SECONDS)).isTrue();
        assertThat(threads).hasSize(LOOPS);
    }

    @Test
    void takesNothingOnceTheServerHasStopped() {
        close();

        assertThatThrownBy(() -> loops.execute(() -> {})).isInstanceOf(RejectedExecutionException.class);
    }

    /** Seen to fail: where the answer comes as it does. */
    @Test
    void goesOnWhereItWasAskedWhoeverAnswers() throws Exception {
        CompletableFuture<String> answer = new CompletableFuture<>();
        CompletableFuture<Context> asked = new CompletableFuture<>();
        CompletableFuture<Context> wentOn = new CompletableFuture<>();
        loops.execute(() -> {
            EventLoops.goOnHere(Uni.createFrom().completionStage(answer))
                    .subscribe()
                    .with(_ -> wentOn.complete(Vertx.currentContext()));
            asked.complete(Vertx.currentContext());
        });
        asked.get(LIMIT_SECONDS, TimeUnit.SECONDS);

        loops.execute(() -> answer.complete("here"));

        assertThat(wentOn.get(LIMIT_SECONDS, TimeUnit.SECONDS)).isNotNull().isEqualTo(asked.join());
    }

    @Test
    void bringsWhatIsThereAlreadyAtOnce() throws Exception {
        CompletableFuture<Boolean> atOnce = new CompletableFuture<>();

        loops.execute(() -> {
            boolean[] came = new boolean[1];
            EventLoops.goOnHere(Uni.createFrom().item("there")).subscribe().with(_ -> came[0] = true);
            atOnce.complete(came[0]);
        });

        assertThat(atOnce.get(LIMIT_SECONDS, TimeUnit.SECONDS)).isTrue();
    }
}
