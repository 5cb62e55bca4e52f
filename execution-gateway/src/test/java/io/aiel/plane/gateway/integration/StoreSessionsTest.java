package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.aiel.plane.gateway.integration.StoreSessions.Session;
import io.smallrye.mutiny.TimeoutException;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.helpers.test.UniAssertSubscriber;
import io.smallrye.mutiny.subscription.UniEmitter;
import io.vertx.core.Vertx;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiConsumer;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Who has a connection, and that nobody forgets one. */
class StoreSessionsTest {
    private static final Duration LONG = Duration.ofSeconds(30);
    private static final StoreSessions.Key KEY = new StoreSessions.Key(
            "conn_1", JsonNodeFactory.instance.objectNode(), JsonNodeFactory.instance.objectNode());

    private final Vertx vertx = Vertx.vertx();
    private final StoreSessions<FakeLink> sessions = new StoreSessions<>(vertx, 4, LONG);
    private final List<FakeLink> made = new ArrayList<>();
    private final List<Optional<Throwable>> told = new CopyOnWriteArrayList<>();

    private static final class FakeLink implements StoreSessions.Link {
        private volatile boolean closed;

        @Override
        public void onEnd(Runnable ended) {}

        @Override
        public void close() {
            closed = true;
        }
    }

    @AfterEach
    void stop() {
        sessions.close();
        vertx.close().toCompletionStage().toCompletableFuture().join();
    }

    private Uni<FakeLink> connect() {
        FakeLink link = new FakeLink();
        made.add(link);
        return Uni.createFrom().item(link);
    }

    private UniAssertSubscriber<String> use(
            Duration limit,
            Function<FakeLink, Uni<String>> work,
            BiConsumer<Session<FakeLink>, Optional<Throwable>> after) {
        return sessions.use(KEY, this::connect, limit, work, after)
                .subscribe()
                .withSubscriber(UniAssertSubscriber.create());
    }

    private void keep(Session<FakeLink> session, Optional<Throwable> failure) {
        told.add(failure);
        sessions.give(KEY, session);
    }

    private void drop(Session<FakeLink> session, Optional<Throwable> failure) {
        told.add(failure);
        session.close();
    }

    @Test
    void givesTheNextCallTheConnectionOfTheLast() {
        use(LONG, _ -> Uni.createFrom().item("one"), this::keep).awaitItem().assertItem("one");
        use(LONG, _ -> Uni.createFrom().item("two"), this::keep).awaitItem().assertItem("two");

        assertThat(made).hasSize(1);
        assertThat(told).containsExactly(Optional.empty(), Optional.empty());
        assertThat(sessions.idle()).isEqualTo(1);
    }

    /** Seen to fail: when what is to follow is told of successes alone. */
    @Test
    void tellsOfAFailureAndOfATimeWithoutAnEnd() {
        IllegalStateException failure = new IllegalStateException("broken");

        use(LONG, _ -> Uni.createFrom().failure(failure), this::drop).awaitFailure();
        use(Duration.ofMillis(50), _ -> Uni.createFrom().nothing(), this::drop)
                .awaitFailure()
                .assertFailedWith(TimeoutException.class);

        assertThat(told.getFirst()).contains(failure);
        assertThat(told.getLast()).containsInstanceOf(TimeoutException.class);
        assertThat(made).hasSize(2).allMatch(link -> link.closed);
    }

    /** Seen to fail: when a connection that nobody waits for any more stays open. */
    @Test
    void closesTheConnectionOfACallThatNobodyWaitsForAnyMore() {
        use(LONG, _ -> Uni.createFrom().nothing(), this::keep).cancel();

        assertThat(made).hasSize(1).allMatch(link -> link.closed);
        assertThat(told).as("nothing is to follow").isEmpty();
        assertThat(sessions.idle()).isZero();
    }

    @Test
    void doesNothingOnAConnectionThatComesTooLate() {
        AtomicReference<UniEmitter<? super FakeLink>> later = new AtomicReference<>();
        List<FakeLink> used = new ArrayList<>();
        sessions.<String>use(
                        KEY,
                        () -> Uni.createFrom().<FakeLink>emitter(later::set),
                        Duration.ofMillis(50),
                        link -> {
                            used.add(link);
                            return Uni.createFrom().item("late");
                        },
                        this::keep)
                .subscribe()
                .withSubscriber(UniAssertSubscriber.create())
                .awaitFailure();

        later.get().complete(new FakeLink());

        assertThat(used).isEmpty();
        assertThat(told).isEmpty();
        assertThat(sessions.idle()).isZero();
    }
}
