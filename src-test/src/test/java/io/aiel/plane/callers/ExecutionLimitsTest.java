package io.aiel.plane.callers;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.SharedPlane;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The limits of what is asked of executions, of the same page as those of {@link LimitsTest}. The project has no code: what is taken is answered with
 * that, and nothing has to run.
 */
@Tag("callers")
@ExtendWith(SharedPlane.class)
class ExecutionLimitsTest {
    private static final int INPUT_BYTES_MAX = 262_144;
    private static final String TAKEN = "NO_DEPLOYMENT";
    private static Project project;

    @BeforeAll
    static void make(PackagedPlane plane) {
        project = plane.newProject("limits-of-executions");
    }

    private static Map<String, Object> request(Map<String, ?> meta) {
        return Map.of("action", "invoke", "kind", "tool", "handler", "none", "event", Map.of(), "meta", meta);
    }

    private static void taken(Answer answer) {
        assertThat(answer.errorCode()).as(answer.toString()).isEqualTo(TAKEN);
    }

    private static void refused(Answer answer, String pointer) {
        assertThat(answer.status()).as(answer.toString()).isEqualTo(400);
        assertThat(answer.errorCode()).isEqualTo("VALIDATION_ERROR");
        assertThat(answer.text()).contains("\"" + pointer + "\"");
    }

    @ParameterizedTest
    @CsvSource({"0, false", "1, true", "99, true", "100, true", "101, false"})
    void takesBatchesOfOneToAHundredRequests(int count, boolean takes) {
        Answer answer = project.client()
                .post(
                        project.path() + "/executions:batch",
                        Map.of("requests", Collections.nCopies(count, request(Map.of()))));

        if (takes) {
            assertThat(answer.expect(200).path("results")).hasSize(count);
            assertThat(answer.json()
                            .at("/results/" + (count - 1) + "/problem/code")
                            .asText())
                    .isEqualTo(TAKEN);
        } else {
            refused(answer, "/requests");
        }
    }

    /** The request here is as it is kept, but for what asks to keep it; the limit is on what is kept. */
    @ParameterizedTest
    @CsvSource({"-1, true", "0, true", "1, true", "-1, false", "0, false", "1, false"})
    void queuesAndKeepsRequestsUpToTheirLimit(int more, boolean queued) {
        String begin =
                "{\"schema_version\":\"v1\",\"action\":\"invoke\",\"kind\":\"tool\",\"handler\":\"none\",\"event\":{\"x\":\"";
        String end = "\"},\"meta\":{\"timeout_ms\":30000,\"capabilities\":{\"network\":false,\"subprocess\":false}";
        String keep = queued ? "" : ",\"keep_input\":true";
        int rest = (begin + end + "}}").getBytes(StandardCharsets.UTF_8).length;
        String document = begin + "x".repeat(INPUT_BYTES_MAX + more - rest) + end + keep + "}}";

        Answer answer = queued ? project.execute(document, "Prefer", "respond-async") : project.execute(document);

        if (more <= 0) {
            taken(answer);
        } else {
            assertThat(answer.status()).as(answer.toString()).isEqualTo(413);
            assertThat(answer.errorCode()).isEqualTo("PAYLOAD_TOO_LARGE");
            assertThat(answer.text()).contains(Integer.toString(INPUT_BYTES_MAX));
        }
    }

    @ParameterizedTest
    @CsvSource({"1, true", "254, true", "255, true", "256, false"})
    void takesIdempotencyKeysOfOneToTwoHundredFiftyFiveCharacters(int length, boolean takes) {
        String key = "k".repeat(length);

        Answer beside = project.execute(request(Map.of()), "Idempotency-Key", key);
        Answer within = project.execute(request(Map.of("idempotency_key", key)));

        if (takes) {
            taken(beside);
            taken(within);
        } else {
            refused(beside, "header:Idempotency-Key");
            refused(within, "/meta/idempotency_key");
        }
    }

    @ParameterizedTest
    @CsvSource({
        "priority, -10, false",
        "priority, -9, true",
        "priority, -8, true",
        "priority, 8, true",
        "priority, 9, true",
        "priority, 10, false",
        "retry/max_attempts, 0, false",
        "retry/max_attempts, 1, true",
        "retry/max_attempts, 2, true",
        "retry/max_attempts, 19, true",
        "retry/max_attempts, 20, true",
        "retry/max_attempts, 21, false",
        "retry/backoff_ms, 99, false",
        "retry/backoff_ms, 100, true",
        "retry/backoff_ms, 101, true",
        "retry/backoff_ms, 3599999, true",
        "retry/backoff_ms, 3600000, true",
        "retry/backoff_ms, 3600001, false"
    })
    void takesWishesOfTheQueueWithinTheirBounds(String member, int value, boolean takes) {
        String last = member.substring(member.indexOf('/') + 1);
        Map<String, Object> retry =
                last.equals("max_attempts") ? Map.of(last, value) : Map.of(last, value, "max_attempts", 3);

        Answer answer = project.execute(
                request(member.startsWith("retry") ? Map.of("retry", retry) : Map.of(member, value)),
                "Prefer",
                "respond-async");

        if (takes) {
            taken(answer);
        } else {
            refused(answer, "/meta/" + member);
        }
    }

    @ParameterizedTest
    @CsvSource({"-1, 400", "0, 404", "1, 404", "59, 404", "60, 404", "60s, 404", "61, 400", "61s, 400"})
    void waitsForAMinuteAtMost(String wait, int status) {
        Answer answer = project.client().get(project.path() + "/executions/exec_" + "0".repeat(32) + "?wait=" + wait);

        assertThat(answer.status()).as(answer.toString()).isEqualTo(status);
        if (status == 400) {
            refused(answer, "query:wait");
        }
    }

    @ParameterizedTest
    @CsvSource({"-1, 400", "0, 404", "999999999998, 404", "999999999999, 404", "1000000000000, 400"})
    void takesEventIdsOfTwelveDigitsAtMost(String sent, int status) {
        Answer answer = project.client()
                .get(project.path() + "/executions/exec_" + "0".repeat(32) + "/events", "Last-Event-ID", sent);

        assertThat(answer.status()).as(answer.toString()).isEqualTo(status);
        if (status == 400) {
            refused(answer, "header:Last-Event-ID");
        }
    }
}
