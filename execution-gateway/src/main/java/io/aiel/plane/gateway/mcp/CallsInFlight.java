package io.aiel.plane.gateway.mcp;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The calls of sessions that this server is working on, so that {@code notifications/cancelled} finds them. A call without a session is
 * not here: nothing would tell it from another client's call of the same number. Thread-safe.
 */
final class CallsInFlight {
    private final int callsMax;
    private final Map<String, Map<JsonNode, Call>> bySession = new HashMap<>();

    /** @param callsMax calls of one session at once */
    CallsInFlight(int callsMax) {
        this.callsMax = callsMax;
    }

    /** One of them. A cancellation that comes before it is known what to stop waits for it. Thread-safe. */
    static final class Call {
        private boolean cancelled;
        private @Nullable Runnable stop;

        /** What stops it; done at once when it was cancelled already. */
        void onCancellation(Runnable how) {
            boolean late;
            synchronized (this) {
                stop = how;
                late = cancelled;
            }
            if (late) {
                how.run();
            }
        }

        void cancel() {
            @Nullable Runnable how;
            synchronized (this) {
                how = cancelled ? null : stop;
                cancelled = true;
            }
            if (how != null) {
                how.run();
            }
        }
    }

    /**
     * Begins a call; whoever does must {@link #end} it. Empty when the session has as many as it may. Throws {@link RpcError} when it has
     * one of that id.
     */
    synchronized Optional<Call> begin(String session, JsonNode id) {
        Map<JsonNode, Call> calls = bySession.getOrDefault(session, Map.of());
        if (calls.containsKey(id)) {
            throw new RpcError(RpcError.INVALID_REQUEST, "A request with this id is in progress in this session.");
        }
        if (calls.size() >= callsMax) {
            return Optional.empty();
        }
        Call call = new Call();
        bySession.computeIfAbsent(session, _ -> new HashMap<>()).put(id, call);
        return Optional.of(call);
    }

    synchronized void end(String session, JsonNode id) {
        Map<JsonNode, Call> calls = bySession.get(session);
        if (calls != null) {
            calls.remove(id);
            if (calls.isEmpty()) {
                bySession.remove(session);
            }
        }
    }

    /** Stops the call; nothing happens when it is not there, which a late cancellation finds. */
    void cancel(String session, JsonNode id) {
        @Nullable Call call;
        synchronized (this) {
            call = bySession.getOrDefault(session, Map.of()).get(id);
        }
        if (call != null) {
            call.cancel();
        }
    }

    /** Stops all calls of a session. */
    void cancelAll(String session) {
        List<Call> calls;
        synchronized (this) {
            calls = List.copyOf(bySession.getOrDefault(session, Map.of()).values());
        }
        calls.forEach(Call::cancel);
    }

    synchronized int sessions() {
        return bySession.size();
    }
}
