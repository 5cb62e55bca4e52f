package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.Principal;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.Role;
import io.aiel.plane.vocabulary.TokenId;
import io.smallrye.mutiny.Uni;
import java.io.IOException;
import java.time.Clock;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Whether those who read may still; the test says when it is looked, and what is found. All seen failing when nobody is looked at. */
class ReadershipTest extends ExecutionsOnFakes {
    private final Tokens tokens = new Tokens();
    private final List<ExecutionAnswer.Refused> lost = new ArrayList<>();
    private final List<EventQueue> queues = new ArrayList<>();
    private long nanos;
    private final Readership readers = new Readership(tokens, new FakePolicy(), Clock.systemUTC(), NEVER, () -> nanos);

    private static final class Tokens implements TokenStanding {
        private final Map<Held, Principal> valid = new HashMap<>();
        private int looks;
        private boolean gone;

        @Override
        public Uni<Optional<Principal>> now(TokenId token, ProjectScope scope) {
            throw new AssertionError("all are looked up at once");
        }

        @Override
        public Uni<Map<Held, Principal>> now(Set<Held> all) {
            looks++;
            return gone
                    ? Uni.createFrom().failure(new IOException("the database is gone"))
                    : Uni.createFrom().item(Map.copyOf(valid));
        }
    }

    private static TokenStanding.Held held() {
        return new TokenStanding.Held(caller().principal().tokenId(), SCOPE);
    }

    private void enter(int count) {
        tokens.valid.put(held(), caller().principal());
        for (int i = 0; i < count; i++) {
            EventQueue queue = new EventQueue(0, Long.MAX_VALUE, () -> {});
            queues.add(queue);
            readers.ofRecords(caller(), ExecutionId.create(), queue, lost::add);
        }
    }

    private void look() {
        readers.look().await().indefinitely();
    }

    private static Principal withRole(Role role) {
        Principal now = caller().principal();
        return new Principal(
                now.id(),
                now.kind(),
                now.tenant(),
                now.displayName(),
                now.tokenId(),
                now.scopes(),
                Set.of(role),
                now.workspace(),
                now.project(),
                now.onBehalfOf());
    }

    @Test
    void looksUpTheTokensOfAllWithOneStatementAndSaysNothingToWhoMayGoOn() {
        enter(1_000);

        look();

        assertThat(tokens.looks).isEqualTo(1);
        assertThat(lost).isEmpty();
        assertThat(readers.size()).isEqualTo(1_000);
    }

    @Test
    void tellsWhoseTokenIsNotValidAnyMoreOnce() {
        enter(2);
        tokens.valid.clear();

        look();
        look();

        assertThat(lost)
                .extracting(ExecutionAnswer.Refused::code)
                .containsOnly(ErrorCode.UNAUTHENTICATED)
                .hasSize(2);
        assertThat(readers.size()).isZero();
    }

    @Test
    void asksThePolicyAgainAboutWhoseRightsAreOtherThanTheyWere() {
        enter(1);
        denies = true;
        look();
        assertThat(lost).isEmpty();
        tokens.valid.put(held(), withRole(Role.VIEWER));

        look();

        assertThat(lost).extracting(ExecutionAnswer.Refused::code).containsExactly(ErrorCode.POLICY_DENIED);
    }

    @Test
    void letsGoOnWhoseOtherRightsAllowTheSame() {
        enter(1);
        tokens.valid.put(held(), withRole(Role.VIEWER));

        look();

        assertThat(lost).isEmpty();
        assertThat(readers.size()).isEqualTo(1);
    }

    @Test
    void endsNothingForAMomentWithoutADatabaseAndAllAfterLonger() {
        enter(1);
        tokens.gone = true;
        nanos = Readership.UNKNOWN_MAX.toNanos();
        look();
        assertThat(lost).isEmpty();
        nanos++;

        look();

        assertThat(lost).extracting(ExecutionAnswer.Refused::code).containsExactly(ErrorCode.NOT_READY);
    }

    @Test
    void forgetsWhoHasGone() {
        enter(2);
        queues.getFirst().leave();

        look();

        assertThat(readers.size()).isEqualTo(1);
    }
}
