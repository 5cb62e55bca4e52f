package io.aiel.plane.gateway.http;

import io.aiel.plane.gateway.execution.EventSource;
import io.vertx.core.AsyncResult;
import io.vertx.core.Context;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.ext.web.RoutingContext;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * One answer of server-sent events on its way. Takes events from the source as fast as the client takes them: what was written last must
 * have left before more is taken, so that a client that stands still is seen to ({@link ConnectionWatch}) and nothing piles up for it.
 * Lives on its event loop; only {@link #look} is called by other threads.
 */
final class RunningEventStream {
    /** So much is written at once, and one event more. */
    private static final int CHARS_AT_ONCE = 64 * 1024;

    private final EventSource source;
    private final EventStream events;
    private final RoutingContext routing;
    private final HttpServerResponse response;
    private final Context loop;
    private final Runnable onEnd;
    private final AtomicBoolean looking = new AtomicBoolean();
    private boolean writing;
    private boolean silent;
    private boolean ended;
    private long heartbeat;

    RunningEventStream(EventStream events, RoutingContext routing, Context loop, Runnable onEnd) {
        this.events = events;
        this.source = events.source();
        this.routing = routing;
        this.response = routing.response();
        this.loop = loop;
        this.onEnd = onEnd;
    }

    void begin() {
        routing.addEndHandler(_ -> end());
        if (response.closed()) {
            end();
            return;
        }
        response.setChunked(true);
        heartbeat = routing.vertx().setPeriodic(events.heartbeat().toMillis(), _ -> beat());
        if (events.retry().isPositive()) {
            // The head goes out with it, before there is an event.
            write("retry: " + events.retry().toMillis() + "\n\n");
        }
        source.onMore(this::look);
    }

    private void look() {
        if (looking.compareAndSet(false, true)) {
            loop.runOnContext(_ -> {
                looking.set(false);
                takeMore();
            });
        }
    }

    private void takeMore() {
        if (ended || writing) {
            return;
        }
        String some = some();
        if (!some.isEmpty()) {
            write(some);
        } else if (source.isOver()) {
            ended = true;
            response.end().onFailure(_ -> end());
        }
    }

    private String some() {
        StringBuilder some = new StringBuilder();
        while (some.length() < CHARS_AT_ONCE) {
            Optional<EventSource.Event> next = source.next();
            if (next.isEmpty()) {
                break;
            }
            append(some, next.get());
        }
        return some.toString();
    }

    /** Line ends within JSON are white space, and would end the field here. */
    private static void append(StringBuilder to, EventSource.Event event) {
        if (!event.id().isEmpty()) {
            to.append("id: ").append(event.id()).append('\n');
        }
        to.append("event: ").append(event.name().equals(EventSource.DELTA) ? "chunk" : event.name());
        to.append("\ndata: ")
                .append(event.data().replace('\n', ' ').replace('\r', ' '))
                .append("\n\n");
    }

    private void write(String text) {
        writing = true;
        silent = false;
        response.write(text).onComplete(this::written);
    }

    private void written(AsyncResult<Void> result) {
        writing = false;
        if (result.succeeded()) {
            look();
        }
    }

    private void beat() {
        if (silent && !writing && !ended) {
            write(":\n\n");
        }
        silent = true;
    }

    /** The answer is whole, or its client has gone. */
    private void end() {
        ended = true;
        routing.vertx().cancelTimer(heartbeat);
        source.leave();
        onEnd.run();
    }
}
