package io.aiel.plane.gateway.mcp;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.execution.EventSource;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A {@code tools/call} whose client asked for progress: what the tool yields becomes {@code notifications/progress}, its end the response,
 * the last message (2025-11-25, basic, section Progress). The response has what it has for a client that did not ask, so what is
 * yielded is kept too, within the limit of a result. The reader's methods are called by one thread at a time, {@link #cancel} by any.
 */
final class ToolStream implements EventSource {
    private static final int MESSAGE_CHARS_MAX = 4_000;

    /** Below what a tool may begin with, which is 0. */
    private static final int NONE_YET = -1;

    private final EventSource events;
    private final JsonNode token;
    private final ObjectMapper json;
    private final ToolResults results;
    private final int keptMax;
    private final Function<ObjectNode, String> response;
    private final AtomicBoolean left = new AtomicBoolean();
    private final StringBuilder kept = new StringBuilder();
    private Optional<ExecutionId> execution = Optional.empty();
    private double progress = NONE_YET;
    private boolean over;
    private Runnable onLeave = () -> {};
    private volatile boolean cancelled;
    private volatile @Nullable Runnable look;

    /**
     * @param token under which the client wants to hear of it
     * @param keptMax characters that may be yielded in all, as a result may have
     * @param response the message with this result
     */
    ToolStream(
            EventSource events,
            JsonNode token,
            ObjectMapper json,
            ToolResults results,
            int keptMax,
            Function<ObjectNode, String> response) {
        this.events = events;
        this.token = token;
        this.json = json;
        this.results = results;
        this.keptMax = keptMax;
        this.response = response;
    }

    /** Names what is done once, when the reader has gone or has everything. Before the first is asked for. */
    void onLeave(Runnable action) {
        onLeave = action;
    }

    /** Ends the stream without a response, and the execution. */
    void cancel() {
        cancelled = true;
        events.leave();
        @Nullable Runnable reader = look;
        if (reader != null) {
            reader.run();
        }
    }

    @Override
    public void onMore(Runnable reader) {
        look = reader;
        events.onMore(reader);
        if (cancelled) {
            reader.run();
        }
    }

    @Override
    public Optional<Event> next() {
        while (!isOver()) {
            Optional<Event> event = events.next();
            if (event.isEmpty()) {
                break;
            }
            Optional<ObjectNode> notified = Optional.empty();
            switch (event.get().name()) {
                case "started" -> execution = startedOf(event.get());
                case "chunk" -> notified = yielded(event.get().data());
                case "result", "error" -> {
                    return last(results.streamed(new JsonText(event.get().data()), execution, yieldedAll()));
                }
                default -> {
                    // A log line is the author's, not the client's.
                }
            }
            if (kept.length() > keptMax) {
                events.leave();
                return last(results.failed(
                        ErrorCode.OUTPUT_LIMIT, "What the tool yielded is more than a result may be.", execution));
            }
            if (notified.isPresent()) {
                return notified.map(ToolStream::text).map(ToolStream::message);
            }
        }
        return Optional.empty();
    }

    private Optional<ExecutionId> startedOf(Event event) {
        return Optional.of(
                new ExecutionId(read(event.data()).path("execution_id").asText()));
    }

    /** A notification, unless it would not go on: progress must grow. */
    private Optional<ObjectNode> yielded(String chunk) {
        kept.append(kept.isEmpty() ? "" : ",").append(chunk);
        JsonNode value = read(chunk);
        JsonNode said = value.path("progress");
        double now = said.isNumber() ? said.asDouble() : Math.max(progress, 0) + 1;
        if (!(now > progress) || Double.isInfinite(now)) {
            return Optional.empty();
        }
        progress = now;
        ObjectNode notification = json.createObjectNode().put("jsonrpc", "2.0").put("method", "notifications/progress");
        ObjectNode params = notification.putObject("params");
        params.set("progressToken", token);
        params.set("progress", said.isNumber() ? said : json.getNodeFactory().numberNode((long) now));
        if (said.isNumber() && value.path("total").isNumber()) {
            params.set("total", value.get("total"));
        }
        String message = said.isNumber() ? value.path("message").asText() : value.isTextual() ? value.asText() : chunk;
        if (!message.isEmpty()) {
            params.put(
                    "message",
                    message.length() > MESSAGE_CHARS_MAX ? message.substring(0, MESSAGE_CHARS_MAX) + "…" : message);
        }
        return Optional.of(notification);
    }

    /** All of it, as a client that asks for no progress gets it; empty when nothing was. */
    private Optional<ArrayNode> yieldedAll() {
        return kept.isEmpty() ? Optional.empty() : Optional.of((ArrayNode) read("[" + kept + "]"));
    }

    private Optional<Event> last(ObjectNode result) {
        over = true;
        return Optional.of(message(response.apply(result)));
    }

    private static Event message(String text) {
        return new Event("", "message", text);
    }

    private static String text(ObjectNode message) {
        return message.toString();
    }

    private JsonNode read(String text) {
        try {
            return json.readTree(text);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("an event's data is JSON that was read by the same rules", e);
        }
    }

    @Override
    public boolean isOver() {
        return over || cancelled || events.isOver();
    }

    @Override
    public void leave() {
        if (left.compareAndSet(false, true)) {
            events.leave();
            onLeave.run();
        }
    }
}
