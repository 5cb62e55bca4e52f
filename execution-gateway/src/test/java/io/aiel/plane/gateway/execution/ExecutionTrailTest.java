package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.audit.AuditChain;
import io.aiel.plane.audit.AuditCodec;
import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.TenantId;
import io.smallrye.mutiny.Uni;
import java.io.IOException;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** That a stream stays one line whatever happens beside: one write at a time, and an end that goes on where it really stands. */
class ExecutionTrailTest {
    private final ExecutionId id = ExecutionId.create();
    private final List<JournalEntry> written = new ArrayList<>();
    private final List<CompletableFuture<List<Boolean>>> underWay = new ArrayList<>();
    private final AuditChain chain = AuditChain.begin(
            new AuditCodec(Clock.systemUTC()),
            new AuditContext(TenantId.create(), Optional.empty(), Optional.empty(), Optional.empty(), "req", ""),
            id);
    private final AuditRecord admitted = chain.append(new AuditEvent.ExecutionAdmitted(id));
    private final ExecutionTrail trail = new ExecutionTrail(
            id, chain, new ExecutionJournal(this::write, 10, 10, 4, (_, task) -> task.run(), new LongPauses()));

    private Uni<List<Boolean>> write(List<JournalEntry> entries) {
        written.addAll(entries);
        CompletableFuture<List<Boolean>> outcome = new CompletableFuture<>();
        underWay.add(outcome);
        return Uni.createFrom().completionStage(outcome);
    }

    private AuditEvent.EgressAllowed allowed(int connection) {
        return new AuditEvent.EgressAllowed(id, connection, "a.example", 443, "https", "192.0.2.1");
    }

    private AuditEvent.EgressRefused refused(int connection) {
        return new AuditEvent.EgressRefused(id, connection, "b.example", 443, "not_granted", "no");
    }

    private CompletableFuture<Boolean> record(AuditEvent.OfExecution event) {
        return trail.record(event).toCompletableFuture();
    }

    private List<Long> sequences() {
        return written.stream()
                .flatMap(entry -> entry.records().stream())
                .map(AuditRecord::sequence)
                .toList();
    }

    @Test
    void hasOneWriteUnderWayAndPutsWhatComesMeanwhileIntoTheNext() {
        CompletableFuture<Boolean> first = record(allowed(1));
        CompletableFuture<Boolean> second = record(refused(2));
        CompletableFuture<Boolean> third = record(allowed(3));
        assertThat(admitted.sequence()).isEqualTo(1);
        assertThat(sequences()).containsExactly(2L);
        assertThat(first).isNotDone();

        underWay.getFirst().complete(List.of(true));

        assertThat(first).isCompletedWithValue(true);
        assertThat(second).isNotDone();
        assertThat(sequences()).containsExactly(2L, 3L, 4L);
        underWay.getLast().complete(List.of(true));
        assertThat(third).isCompletedWithValue(true);
        assertThat(written).hasSize(2);
    }

    @Test
    void waitsForTheWriteUnderWayAndHandsTheRestToTheEnd() {
        CompletableFuture<Boolean> first = record(allowed(1));
        CompletableFuture<Boolean> permission = record(allowed(2));
        var _ = record(refused(3));
        CompletableFuture<ExecutionTrail.Ending> ending = trail.end().subscribeAsCompletionStage();
        assertThat(ending).isNotDone();

        underWay.getFirst().complete(List.of(true));

        assertThat(first).isCompletedWithValue(true);
        assertThat(permission).as("a permission that is not used").isCompletedWithValue(false);
        assertThat(ending.join().events()).containsExactly(refused(3));
        assertThat(ending.join().chain().orElseThrow().position().sequence()).isEqualTo(2);
        assertThat(record(allowed(4))).isCompletedWithValue(false);
    }

    @Test
    void recordsNothingMoreOnceItIsNotKnownWhereTheStreamStands() {
        CompletableFuture<Boolean> first = record(allowed(1));
        CompletableFuture<Boolean> second = record(allowed(2));

        underWay.getFirst().completeExceptionally(new IOException("the connection broke"));

        assertThat(first).isCompletedWithValue(false);
        assertThat(second).isCompletedWithValue(false);
        assertThat(record(allowed(3))).isCompletedWithValue(false);
        assertThat(written).hasSize(1);
        assertThat(trail.end().await().indefinitely().chain()).isEmpty();
    }

    @Test
    void recordsNothingMoreOnceAnotherClosedTheExecution() {
        CompletableFuture<Boolean> first = record(allowed(1));

        underWay.getFirst().complete(List.of(false));

        assertThat(first).isCompletedWithValue(false);
        assertThat(trail.end().await().indefinitely().chain()).isEmpty();
    }
}
