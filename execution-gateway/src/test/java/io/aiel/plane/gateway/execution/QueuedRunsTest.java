package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.audit.AuditCodec;
import io.aiel.plane.audit.StreamPosition;
import io.aiel.plane.gateway.http.Problems;
import io.aiel.plane.hydrator.HydrationRequest;
import io.aiel.plane.vocabulary.DecisionId;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Principal;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.SnapshotRef;
import io.aiel.plane.vocabulary.TokenId;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.smallrye.mutiny.TimeoutException;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.helpers.test.UniAssertSubscriber;
import java.time.Clock;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** How what was queued begins: after another decision, and when that says so. */
class QueuedRunsTest extends ExecutionsOnFakes {
    private static final TokenStanding VALID = (_, _) -> Uni.createFrom().item(Optional.of(caller().principal()));
    private static final TokenStanding REVOKED = (_, _) -> Uni.createFrom().item(Optional.empty());

    private final AtomicInteger codeEnded = new AtomicInteger();
    private boolean turnComes = true;
    private boolean lastPlace;

    private QueuedRuns.Begun begin(TokenStanding standing) {
        return begin(standing, queued(ExecutionId.create()));
    }

    private QueuedRuns.Begun begin(TokenStanding standing, QueuedExecution queued) {
        Envelopes envelopes = new Envelopes(JSON, Problems::status);
        AuditCodec codec = new AuditCodec(Clock.systemUTC());
        QueuedRuns runs = new QueuedRuns(
                service(),
                new Entrance(gate, new ExecutionMetrics(new SimpleMeterRegistry(), live, gate)),
                standing,
                new FakeRegistry(),
                new ExecutionJournal(this::write, 10, 10, 1, (_, task) -> task.run(), new LongPauses()),
                codec,
                live,
                envelopes,
                ends,
                withdrawals,
                Clock.systemUTC(),
                900_000);
        hydrator.outcome.complete(answered(ENVELOPE, 200));
        return runs.begin(queued, new CountedTurn())
                .subscribe()
                .withSubscriber(UniAssertSubscriber.create())
                .awaitItem()
                .getItem();
    }

    private final class CountedTurn implements QueuedRuns.Turn {
        @Override
        public Uni<Boolean> come() {
            return Uni.createFrom().item(turnComes);
        }

        @Override
        public boolean holdsUpOthers() {
            return lastPlace;
        }

        @Override
        public void codeEnded() {
            codeEnded.incrementAndGet();
        }
    }

    static QueuedExecution queued() {
        return queued(ExecutionId.create());
    }

    private static QueuedExecution queued(ExecutionId id) {
        return new QueuedExecution(
                id,
                SCOPE,
                caller().principal(),
                "req",
                "",
                "",
                "http://127.0.0.1",
                Optional.of("production"),
                new SnapshotRef(Digest.of("snapshot"), "0".repeat(64)),
                Optional.empty(),
                Digest.of("{}"),
                DecisionId.create(),
                new JsonText(INVOKE),
                new Attempt(1, 1, Duration.ZERO, Duration.ZERO, 0),
                StreamPosition.startOf(id));
    }

    @Test
    void runsWhatIsAllowedStill() {
        assertThat(begin(VALID)).isEqualTo(QueuedRuns.Begun.OVER);

        assertThat(hydrator.requests).singleElement().matches(HydrationRequest::queued, "known to be of the queue");
        assertThat(written).hasExactlyElementsOfTypes(Start.class, Closure.class);
        assertThat(codeEnded).hasValue(1);
    }

    /** Seen to fail: where the start does not say so, the journal lets others wait for company that cannot come. */
    @Test
    void saysOfItsStartWhetherItHasTheLastPlace() {
        begin(VALID);
        lastPlace = true;
        begin(VALID);

        assertThat(written.stream().filter(Start.class::isInstance).map(Start.class::cast))
                .extracting(Start::holdsUpOthers)
                .containsExactly(false, true);
    }

    /** Seen to fail: where it begins all the same, those who wait for answers have no workers left. */
    @Test
    void beginsNothingWhenItsTurnDoesNotComeInTime() {
        turnComes = false;

        assertThat(begin(VALID)).isEqualTo(QueuedRuns.Begun.LATE);

        assertThat(hydrator.requests).isEmpty();
        assertThat(written).isEmpty();
    }

    /** Seen to fail: where memory alone denies, a right that was granted on another server a moment ago ends it for good. */
    @Test
    void looksItsCallerUpAgainBeforeADenialEndsIt() {
        AtomicInteger lookups = new AtomicInteger();
        denies = true;
        begin(new TokenStanding() {
            @Override
            public Uni<Optional<Principal>> now(TokenId token, ProjectScope scope) {
                return VALID.now(token, scope);
            }

            @Override
            public Uni<Optional<Principal>> afresh(TokenId token, ProjectScope scope) {
                lookups.incrementAndGet();
                denies = false;
                return VALID.now(token, scope);
            }
        });

        assertThat(lookups).hasValue(1);
        assertThat(hydrator.requests).hasSize(1);
        assertThat(written).hasExactlyElementsOfTypes(Start.class, Closure.class);
    }

    /** Its caller was told that nobody knows. Seen failing when nothing is looked up before it begins. */
    @Test
    void endsWhatIsToBeWithdrawnWithoutRunningIt() throws Exception {
        failures.add(new TimeoutException());
        failures.add(new TimeoutException());
        ExecutionAnswer.Refused answer = (ExecutionAnswer.Refused) service()
                .execute(caller(), JSON.readTree(INVOKE), Optional.empty(), Manner.QUEUED)
                .subscribe()
                .withSubscriber(UniAssertSubscriber.create())
                .awaitItem()
                .getItem();
        Matcher id = Pattern.compile("exec_[0-9a-f]+").matcher(answer.detail());
        assertThat(id.find()).isTrue();

        assertThat(begin(VALID, queued(new ExecutionId(id.group())))).isEqualTo(QueuedRuns.Begun.OVER);

        assertThat(hydrator.requests).isEmpty();
        assertThat(written).hasSize(1);
        assertThat(closure().status()).isEqualTo(ExecutionStatus.CANCELLED);
        assertThat(closure().errorCode()).isEqualTo("ADMISSION_UNAVAILABLE");
    }

    @Test
    void endsWhatIsDeniedByNow() {
        denies = true;

        assertThat(begin(VALID)).isEqualTo(QueuedRuns.Begun.OVER);

        assertThat(closure().status()).isEqualTo(ExecutionStatus.DENIED);
        assertThat(hydrator.requests).isEmpty();
        assertThat(codeEnded).hasValue(0);
    }

    /** Seen failing when the policy alone is asked. */
    @Test
    void endsWhatARevokedTokenAskedForWhateverThePolicySays() {
        assertThat(begin(REVOKED)).isEqualTo(QueuedRuns.Begun.OVER);

        assertThat(closure().status()).isEqualTo(ExecutionStatus.DENIED);
        assertThat(hydrator.requests).isEmpty();
    }

    /** As right after a start, while the policy is being loaded. Seen failing when a denial for want of a decision ends it too. */
    @Test
    void keepsWhatNoDecisionCanBeHadForInTheQueue() {
        denies = true;
        undecided = true;

        assertThat(begin(VALID)).isEqualTo(QueuedRuns.Begun.NOT_NOW);

        assertThat(written).isEmpty();
        assertThat(hydrator.requests).isEmpty();
        assertThat(live.size()).isZero();
    }
}
