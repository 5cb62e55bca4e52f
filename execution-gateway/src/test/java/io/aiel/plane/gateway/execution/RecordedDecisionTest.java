package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.DecisionId;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.JsonText;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What callers send does not end in the audit log. */
class RecordedDecisionTest {
    private final Decision decision = new Decision.Deny(
            DecisionId.create(),
            Digest.of("policy"),
            new JsonText(
                    "{\"action\":\"a\",\"arguments\":{\"digest\":\"d\",\"size_bytes\":9,\"value\":{\"password\":\"hunter2\"}}}"),
            List.of("no"),
            false);

    @Test
    void withholdsTheArgumentsAndSaysSo() {
        Decision recorded = RecordedDecision.withoutArguments(decision, new ObjectMapper());

        assertThat(recorded.input().value())
                .isEqualTo("{\"action\":\"a\",\"arguments\":{\"digest\":\"d\",\"size_bytes\":9,\"withheld\":true}}");
        assertThat(recorded.id()).isEqualTo(decision.id());
        assertThat(recorded.reasons()).isEqualTo(decision.reasons());
    }
}
