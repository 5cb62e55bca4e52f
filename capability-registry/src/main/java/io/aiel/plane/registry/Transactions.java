package io.aiel.plane.registry;

import io.aiel.plane.vocabulary.ErrorCode;
import io.quarkus.vertx.core.runtime.context.VertxContextSafetyToggle;
import io.smallrye.common.vertx.VertxContext;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import jakarta.enterprise.context.ApplicationScoped;
import java.time.Duration;
import java.util.Objects;
import java.util.function.Function;
import org.hibernate.reactive.mutiny.Mutiny;
import org.jspecify.annotations.Nullable;

/**
 * Runs database work in a transaction of its own. May be called from any thread: the work runs on an event loop, in a context of
 * its own (a Hibernate session must not be shared, and it is found by the context), and the result comes back to the caller's
 * context if there is one. Work that has begun goes on to its end when the caller goes away.
 */
@ApplicationScoped
public class Transactions {
    /** Work may be slow, but only while the database answers others: after this time it is asked. */
    private static final Duration PATIENCE = Duration.ofMillis(1_200);

    private static final Duration PING_LIMIT = Duration.ofMillis(500);

    private final Mutiny.SessionFactory sessions;
    private final Vertx vertx;
    private final RegistryConfig config;

    public Transactions(Mutiny.SessionFactory sessions, Vertx vertx, RegistryConfig config) {
        this.sessions = sessions;
        this.vertx = vertx;
        this.config = config;
    }

    /**
     * Commits when the work succeeds, rolls back when it fails. Fails with {@code NOT_READY} after the time limit, and long before
     * it when the database does not answer at all.
     */
    public <T> Uni<T> run(Function<Mutiny.Session, Uni<T>> work) {
        // Deferred, so that whoever tries again does the work again and is not told of the first failure once more.
        return Uni.createFrom().deferred(() -> {
            Uni<T> once = onFreshContext(sessions, work).memoize().indefinitely();
            return once.ifNoItem()
                    .after(PATIENCE)
                    .recoverWithUni(() -> ping().chain(() ->
                            once.ifNoItem().after(config.databaseTimeout()).failWith(Transactions::notInTime)));
        });
    }

    private Uni<Object> ping() {
        return onFreshContext(
                        sessions,
                        session -> session.createNativeQuery("SELECT 1", Object.class)
                                .getSingleResult())
                .ifNoItem()
                .after(PING_LIMIT)
                .failWith(Transactions::notInTime);
    }

    private static RegistryRefusal notInTime() {
        return new RegistryRefusal(ErrorCode.NOT_READY, "The database did not answer in time; try again shortly.");
    }

    private <T> Uni<T> onFreshContext(Mutiny.SessionFactory factory, Function<Mutiny.Session, Uni<T>> work) {
        return Uni.createFrom().deferred(() -> {
            @Nullable Context caller = Vertx.currentContext();
            Context base = caller == null ? vertx.getOrCreateContext() : caller;
            Context own = Objects.requireNonNull(VertxContext.createNewDuplicatedContext(base));
            VertxContextSafetyToggle.setContextSafe(own, true);
            Uni<T> done = Uni.createFrom()
                    .emitter(emitter ->
                            own.runOnContext(_ -> factory.withTransaction((session, transaction) -> work.apply(session))
                                    .subscribe()
                                    .with(emitter::complete, emitter::fail)));
            return caller == null ? done : done.emitOn(task -> caller.runOnContext(_ -> task.run()));
        });
    }
}
