package io.aiel.plane.gateway.execution;

import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.ProjectScope;
import java.util.List;
import java.util.function.Consumer;

/**
 * One reader of one execution's records. Gets no more while he has not taken what he has: the log keeps it for him. Thread-safe.
 */
final class Follower {
    private final ProjectScope scope;
    private final ExecutionId execution;
    private final long until;
    private final EventQueue events;

    /**
     * @param after the sequence of the last record that the reader has
     * @param until when he has to come again, by {@link System#nanoTime}
     */
    Follower(ProjectScope scope, ExecutionId execution, long after, long until, Consumer<Follower> onLeave) {
        this.scope = scope;
        this.execution = execution;
        this.until = until;
        // He is given more only when he has taken all, so nobody need be told of room.
        this.events = new EventQueue(after, Long.MAX_VALUE, () -> onLeave.accept(this));
    }

    ProjectScope scope() {
        return scope;
    }

    ExecutionId execution() {
        return execution;
    }

    /** For the reader. */
    EventSource events() {
        return events;
    }

    boolean isDue(long now) {
        return now - until >= 0;
    }

    /** The sequence of the last record that he was given. */
    long given() {
        return events.given();
    }

    /** Whether he has taken all that he was given and wants more. */
    boolean isHungry() {
        return events.isHungry();
    }

    /** Gives him those of these records that he has not. */
    void give(List<AuditRecord> records) {
        records.forEach(record -> events.put(record.sequence(), "record", data(record)));
    }

    /**
     * He may not have them: he gets none of those that wait for him, and is told so.
     *
     * @param problem JSON that says why
     */
    void refuse(String problem) {
        events.breakOff("error", problem, false);
    }

    /** There is nothing more to come, or not by this way. */
    void end() {
        events.end();
    }

    /** Sends him away. */
    void leave() {
        events.leave();
    }

    /** As in the list of all records: the event as it was stored, with its hash. */
    private static String data(AuditRecord record) {
        String canonical = record.canonical();
        return canonical.substring(0, canonical.length() - 1) + ",\"hash\":\""
                + record.hash().value() + "\"}";
    }
}
