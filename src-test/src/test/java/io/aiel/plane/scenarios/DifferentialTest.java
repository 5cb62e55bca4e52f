package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.assertions.Envelopes;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.Command;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.PublishedClients;
import io.aiel.plane.fixtures.Sample;
import io.aiel.plane.fixtures.SharedPlane;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * The same request, once to {@code POST P/executions} and once on the standard input of the published
 * {@code python -m aiel_runtime.runner}: the envelopes must be equal, except where {@code differential/differences.json} says
 * that and why they are not. A case with a difference names what the plane answers instead, and fails when the runner answers
 * that too, so that the list cannot hold what is no longer different.
 *
 * <p>Meant to fail: with the worker's {@code KeyError} rule taken out, the two cases of {@code key-error-is-the-users} fail;
 * with {@code http_status} of results ignored, the cases "a result with …" fail.
 */
@ExtendWith(SharedPlane.class)
class DifferentialTest {
    private static final Path TABLE = Path.of("src/test/resources/differential/cases.json");
    private static final Path DIFFERENCES = Path.of("src/test/resources/differential/differences.json");
    private static final Path ORACLE = Path.of("src/test/clients/oracle.py");
    private static final double RUNNER_LIMIT_SECONDS = 4;

    private static final Map<String, JsonNode> RUNNER = new HashMap<>();
    private static JsonNode cases;
    private static JsonNode differences;
    private static Project project;

    @BeforeAll
    static void askTheRunner(PackagedPlane plane, PublishedClients clients) {
        cases = read(TABLE);
        differences = read(DIFFERENCES);
        Sample sample = Sample.of("table");
        StringBuilder input = new StringBuilder();
        for (JsonNode each : cases) {
            input.append(PlaneClient.text(Map.of(
                            "name", each.path("name").asText(),
                            "stdin", body(each),
                            "limit_seconds", RUNNER_LIMIT_SECONDS)))
                    .append('\n');
        }
        String answers = Command.of(
                        clients.python(),
                        "-B",
                        ORACLE.toAbsolutePath().toString(),
                        sample.folder().toString())
                .withInput(input.toString())
                .within(Duration.ofMinutes(4))
                .run()
                .orFail();
        answers.lines()
                .map(PlaneClient::read)
                .forEach(answer -> RUNNER.put(answer.path("name").asText(), answer));
        project = plane.newProject("differential");
        project.push(sample.files());
    }

    private static JsonNode read(Path file) {
        try {
            return PlaneClient.read(Files.readString(file));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String body(JsonNode each) {
        return each.has("raw") ? each.path("raw").asText() : PlaneClient.text(each.path("request"));
    }

    private static JsonNode ofRunner(String name) {
        return Objects.requireNonNull(RUNNER.get(name), () -> "the runner was not asked: " + name);
    }

    /** What the runner printed last; earlier lines are what user code printed. */
    private static JsonNode envelopeOfRunner(String name) {
        String printed = ofRunner(name).path("stdout").asText().strip();
        return PlaneClient.read(printed.isEmpty() ? "null" : printed.substring(printed.lastIndexOf('\n') + 1));
    }

    @TestFactory
    Stream<DynamicTest> answersAsTheRunnerDoes() {
        List<DynamicTest> tests = new ArrayList<>();
        cases.forEach(each -> tests.add(DynamicTest.dynamicTest(
                each.path("name").asText(),
                () -> compare(each, each.path("name").asText()))));
        return tests.stream();
    }

    private static void compare(JsonNode each, String name) {
        JsonNode runner = envelopeOfRunner(name);
        Answer answer = project.execute(body(each));
        if (each.has("difference")) {
            assertThat(Envelopes.contains(answer.json(), each.path("expect")))
                    .as("the plane's envelope has %s: %s", each.path("expect"), answer)
                    .isTrue();
            assertThat(each.has("expect_not") && Envelopes.contains(answer.json(), each.path("expect_not")))
                    .as("the plane's envelope has not %s: %s", each.path("expect_not"), answer)
                    .isFalse();
            boolean same = Envelopes.contains(runner, each.path("expect"))
                    && !(each.has("expect_not") && Envelopes.contains(runner, each.path("expect_not")));
            assertThat(same)
                    .as("the runner answers otherwise, else this is no difference: %s", runner)
                    .isFalse();
            return;
        }
        assertThat(runner.isObject())
                .as("the runner answered: %s", ofRunner(name))
                .isTrue();
        assertThat(answer.status())
                .as("HTTP status: %s", answer)
                .isEqualTo(runner.path("http_status").asInt());
        if (!answer.json().has("ok")) {
            // Refused before it was an execution: a problem document, which has no more than code and status in common.
            assertThat(answer.headers().firstValue("Content-Type"))
                    .hasValueSatisfying(type -> assertThat(type).startsWith("application/problem+json"));
            assertThat(answer.errorCode()).isIn(runner.at("/error/code").asText(), "MALFORMED_REQUEST");
            return;
        }
        boolean userSpeaks = Envelopes.speaksForTheUser(runner);
        boolean idGiven = each.at("/request/meta/request_id").isTextual();
        ObjectNode wanted = Envelopes.comparable(runner, userSpeaks, idGiven);
        ObjectNode got = Envelopes.comparable(answer.json(), userSpeaks, idGiven);
        assertThat(got.toPrettyString()).as(answer.toString()).isEqualTo(wanted.toPrettyString());
    }

    @Test
    void explainsEachDifferenceAndHasNoOther() {
        Set<String> explained = new HashSet<>();
        differences.forEach(each -> {
            assertThat(each.path("contract").asText()).isNotBlank();
            assertThat(each.path("reason").asText()).isNotBlank();
            explained.add(each.path("key").asText());
        });
        Set<String> used = new HashSet<>();
        cases.forEach(each -> {
            if (each.has("difference")) {
                used.add(each.path("difference").asText());
            }
        });
        assertThat(used).isEqualTo(explained);
        assertThat(cases).hasSizeGreaterThan(60);
    }

    /** The many answers of the table come from forks of one process; a few real starts show that this is the same. */
    @Test
    void takesTheRunnersWordFromTheRunner(PublishedClients clients) {
        for (String name :
                List.of("describe", "legacy names", "an exception deep in the snapshot", "an unknown tool")) {
            JsonNode each = caseOf(name);
            String printed = clients.runner(Sample.of("table").folder(), body(each), Duration.ofSeconds(60))
                    .out()
                    .strip();
            JsonNode started = PlaneClient.read(printed.substring(printed.lastIndexOf('\n') + 1));
            assertThat(Envelopes.comparable(started, true, true))
                    .as(name)
                    .isEqualTo(withoutRequestId(Envelopes.comparable(envelopeOfRunner(name), true, true), started));
        }
    }

    private static ObjectNode withoutRequestId(ObjectNode comparable, JsonNode other) {
        comparable.set("request_id", other.at("/meta/request_id"));
        return comparable;
    }

    private static JsonNode caseOf(String name) {
        for (JsonNode each : cases) {
            if (each.path("name").asText().equals(name)) {
                return each;
            }
        }
        throw new AssertionError("no case " + name);
    }
}
