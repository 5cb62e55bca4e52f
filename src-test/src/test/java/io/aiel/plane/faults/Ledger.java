package io.aiel.plane.faults;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;

/** What callers were told: the side of the truth that the plane cannot change afterwards. Thread-safe. */
final class Ledger {
    private final List<Call> calls = new ArrayList<>();
    private final List<Change> changes = new ArrayList<>();

    /**
     * One invocation as its caller saw it.
     *
     * @param id the request id, unique
     * @param caller which of the callers; each sends one after the other
     */
    record Call(String id, String caller, Heard heard) {}

    /**
     * One new project as its maker saw it.
     *
     * @param slug unique
     * @param id what the answer said; empty text when it was not answered with success
     */
    record Change(String slug, String id, Heard heard) {}

    /** What came back. */
    sealed interface Heard {
        /** An envelope with an execution: an acknowledgement, whatever the outcome. */
        record Envelope(JsonNode document) implements Heard {
            String execution() {
                return document.path("meta").path("execution_id").asText();
            }

            boolean ok() {
                return document.path("ok").asBoolean();
            }
        }

        /** A document that says that the plane could not, or a success of the control plane. */
        record Other(int status, String code, String text) implements Heard {}

        /** The connection was refused or broke, or no answer came in time. */
        record Silence(String why) implements Heard {}
    }

    synchronized void add(Call call) {
        calls.add(call);
    }

    synchronized void add(Change change) {
        changes.add(change);
    }

    synchronized List<Call> calls() {
        return List.copyOf(calls);
    }

    synchronized List<Change> changes() {
        return List.copyOf(changes);
    }

    /** Calls that were answered with an envelope. */
    long acknowledged() {
        return calls().stream()
                .filter(call -> call.heard() instanceof Heard.Envelope)
                .count();
    }
}
