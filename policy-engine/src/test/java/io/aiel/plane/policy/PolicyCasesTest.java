package io.aiel.plane.policy;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.policy.DecisionReader.Reading;
import io.aiel.plane.policy.PolicyCases.Case;
import io.aiel.plane.vocabulary.JsonText;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The cases as files, through our wasm engine and through OPA itself. Broken once by letting the role viewer write files in
 * roles.rego (compiled): the case "viewer may not files.write" failed; and by changing the Rego without compiling it: the
 * comparison with OPA failed.
 */
class PolicyCasesTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<JsonNode, PolicyInstance> INSTANCES = new LinkedHashMap<>();
    private static PolicyModule module;

    @BeforeAll
    static void translate() {
        module = PolicyModule.translate(CompiledPolicy.defaultPolicy(), 16);
    }

    static List<Case> cases() throws IOException {
        return PolicyCases.all();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void decidesAsTheFileWants(Case asked) throws IOException {
        String answer = wasm(asked);

        switch (DecisionReader.read(answer)) {
            case Reading.Yes(var reasons, var _) -> matches(asked, true, reasons, answer);
            case Reading.No(var reasons) -> matches(asked, false, reasons, answer);
            case Reading.Unusable(var why) -> throw new AssertionError(why + ": " + answer);
        }
    }

    @Test
    void opaItselfAnswersTheSame(@TempDir Path scratch) throws IOException, InterruptedException {
        OpaCompiler opa = OpaCompiler.orSkip();
        Map<JsonNode, List<Case>> byData = new LinkedHashMap<>();
        for (Case asked : cases()) {
            byData.computeIfAbsent(asked.data(), data -> new ArrayList<>()).add(asked);
        }
        int compared = 0;
        for (Map.Entry<JsonNode, List<Case>> group : byData.entrySet()) {
            JsonNode answers = opaAnswers(opa, scratch, group.getKey(), group.getValue());
            for (int i = 0; i < group.getValue().size(); i++) {
                Case asked = group.getValue().get(i);
                JsonNode ours = JSON.readTree(wasm(asked)).path(0).path("result");
                assertThat(ours).as(asked.description()).isEqualTo(answers.path(Integer.toString(i)));
                compared++;
            }
        }
        assertThat(compared).isEqualTo(cases().size()).isGreaterThan(40);
    }

    /** Broken once by leaving out one `yes`. */
    @Test
    void theDocumentedTableOfRolesIsTheOneOfTheCases() throws IOException {
        JsonNode roles = PolicyCases.roles();
        List<String> names = new ArrayList<>();
        roles.required("roles").fieldNames().forEachRemaining(names::add);
        StringBuilder table = new StringBuilder("| action | " + String.join(" | ", names) + " |\n");
        table.append("| ---").append(" | ---".repeat(names.size())).append(" |\n");
        for (JsonNode action : roles.required("actions")) {
            table.append("| ").append(action.asText()).append(" |");
            for (String name : names) {
                boolean granted = false;
                for (JsonNode one : roles.at("/roles/" + name)) {
                    granted |= one.equals(action);
                }
                table.append(granted ? " yes |" : " |");
            }
            table.append('\n');
        }

        assertThat(Files.readString(ModuleFiles.DOCS.resolve("policy.md"))).contains(table);
    }

    private static String wasm(Case asked) throws IOException {
        PolicyInstance instance =
                INSTANCES.computeIfAbsent(asked.data(), data -> module.instantiate(new JsonText(data.toString())));
        return instance.evaluate(JSON.writeValueAsString(asked.input()).getBytes(StandardCharsets.UTF_8));
    }

    /** All cases in one run of OPA: a process for each would take minutes. An undefined answer has no member. */
    private static JsonNode opaAnswers(OpaCompiler opa, Path scratch, JsonNode data, List<Case> cases)
            throws IOException, InterruptedException {
        ObjectNode inputs = JSON.createObjectNode();
        ArrayNode list = inputs.putArray("cases");
        cases.forEach(asked -> list.add(asked.input()));
        Path inputFile = Files.writeString(scratch.resolve("input.json"), JSON.writeValueAsString(inputs));
        Path dataFile = Files.writeString(scratch.resolve("data.json"), JSON.writeValueAsString(data));
        OpaCompiler.Result result = opa.run(
                "eval",
                "--format",
                "json",
                "--data",
                ModuleFiles.SOURCES.toString(),
                "--data",
                dataFile.toString(),
                "--input",
                inputFile.toString(),
                "{i: d | some n, c in input.cases; i := format_int(n, 10); d := data.plane.authz.decision with input as c}");
        assertThat(result.exit()).as(result.out() + result.err()).isZero();
        return JSON.readTree(result.out()).at("/result/0/expressions/0/value");
    }

    private static void matches(Case asked, boolean allow, List<String> reasons, String answer) throws IOException {
        assertThat(allow).as(answer).isEqualTo(asked.want().get("allow").booleanValue());
        if (asked.want().has("reasons")) {
            List<String> wanted = new ArrayList<>();
            asked.want().get("reasons").forEach(reason -> wanted.add(reason.asText()));
            assertThat(reasons).isEqualTo(wanted);
        }
        if (asked.want().has("obligations")) {
            assertThat(JSON.readTree(answer).at("/0/result/obligations"))
                    .isEqualTo(asked.want().get("obligations"));
        }
    }
}
