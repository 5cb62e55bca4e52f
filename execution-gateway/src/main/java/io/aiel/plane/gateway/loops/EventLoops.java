package io.aiel.plane.gateway.loops;

import io.smallrye.mutiny.Uni;
import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.core.impl.VertxInternal;
import java.util.concurrent.Executor;

/**
 * The event loops of this server, for work that no request brings: each task runs on the next of them, in a context of its own, so that none of
 * them has it all. Thread-safe; a task may not block.
 */
public final class EventLoops implements Executor {
    private final VertxInternal vertx;

    public EventLoops(Vertx vertx) {
        this.vertx = (VertxInternal) vertx;
    }

    /** @throws java.util.concurrent.RejectedExecutionException when the server has stopped */
    @Override
    public void execute(Runnable task) {
        vertx.createEventLoopContext().runOnContext(_ -> task.run());
    }

    /**
     * The same, its outcome in the context in which this is called, whoever it is that brings it: what somebody waits for with others must not
     * go on as part of another's request. Without a context it comes as it does.
     */
    public static <T> Uni<T> goOnHere(Uni<T> answer) {
        Context mine = Vertx.currentContext();
        return mine == null
                ? answer
                : answer.emitOn(task -> {
                    if (mine.equals(Vertx.currentContext())) {
                        task.run();
                    } else {
                        mine.runOnContext(_ -> task.run());
                    }
                });
    }
}
