package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.http.StrictJson;
import io.aiel.plane.vocabulary.JsonText;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A worker's envelope is taken over as it was written, and only when it is strict JSON. */
class WorkerEnvelopeTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, String> OWN = own();

    static {
        new StrictJson().customize(JSON);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{\"ok\":true,\"result\":{\"sum\":3}}",
                " { \"ok\" : true , \"result\" : [ 1 , 2.50 , 1e400 ] , \"meta\" : { \"logs\" : [ ] , \"usage\" : 1 } } ",
                "{\"meta\":{\"execution_id\":\"theirs\",\"a\":\"}\\\"{\"},\"result\":\"\\u0000\\ud83d\\ude00 \\\\\",\"error\":null}",
                "{\"\\u006deta\":{\"\\u0061\":1},\"result\":null}",
                "{\"meta\":[1],\"result\":-0.0,\"ok\":true}",
                "{\"result\":{\"meta\":{\"error\":{\"message\":\"x\"}}},\"meta\":null}",
                "{\"error\":{\"code\":\"E\",\"message\":\"no \\\"way\\\"\",\"details\":{\"message\":\"other\"}},\"result\":null}"
            })
    void saysTheSameAsATreeWithTheOwnMembersPutIn(String worker) throws Exception {
        WorkerEnvelope.Completed completed = read(worker).withMeta(OWN);

        assertThat(JSON.readTree(completed.envelope().value())).isEqualTo(byTree(worker));
        JsonNode tree = JSON.readTree(worker);
        assertThat(JSON.readTree(completed.result()))
                .isEqualTo(tree.has("result") ? tree.get("result") : JSON.nullNode());
        assertThat(completed.errorMessage())
                .isEqualTo(tree.path("error").path("message").asText(""));
    }

    @Test
    void leavesEachNumberAndTextAsItWasWritten() {
        String result = "[1.10, 1E+2, 123456789012345678901234567890, \"\\u00e9\\/\"]";

        WorkerEnvelope.Completed completed = read("{\"result\":" + result + "}").withMeta(OWN);

        assertThat(completed.result()).isEqualTo(result);
        assertThat(completed.envelope().value()).contains("\"result\":" + result);
    }

    /** Longer than the buffers of the reader, so that places in the text are counted across them. */
    @Test
    void findsTheMembersOfALongEnvelope() throws Exception {
        String worker = "{\"result\":[" + "\"0123456789é\", ".repeat(20_000) + "1],\"meta\":{\"long\":\""
                + "m".repeat(70_000) + "\",\"usage\":{}},\"ok\":true}";

        WorkerEnvelope.Completed completed = read(worker).withMeta(OWN);

        assertThat(JSON.readTree(completed.envelope().value())).isEqualTo(byTree(worker));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "[]",
                "\"text\"",
                "{\"ok\":true",
                "{\"ok\":true}}",
                "{\"ok\":true}{}",
                "{\"ok\":true,\"ok\":false}",
                "{\"result\":{\"a\":1,\"\\u0061\":2}}",
                "{\"meta\":{\"a\":1,\"a\":2}}",
                "{\"error\":{\"message\":\"a\",\"message\":\"b\"}}",
                "{\"result\":01}",
                "{\"result\":NaN}",
                "{\"result\":\"\u0000\"}",
                "{\"result\":\"\\x\"}",
                "{\"result\":[1,]}",
                "{\"result\":{\"a\":tru}}"
            })
    void refusesWhatIsNotOneStrictObject(String worker) {
        assertThatThrownBy(() -> read(worker)).isInstanceOf(IllegalArgumentException.class);
    }

    private static WorkerEnvelope read(String worker) {
        return WorkerEnvelope.read(new JsonText(worker), JSON.getFactory());
    }

    private static JsonNode byTree(String worker) throws Exception {
        ObjectNode envelope = (ObjectNode) JSON.readTree(worker);
        ObjectNode meta = envelope.get("meta") instanceof ObjectNode object ? object : envelope.putObject("meta");
        for (Map.Entry<String, String> member : OWN.entrySet()) {
            meta.set(member.getKey(), JSON.readTree(member.getValue()));
        }
        return envelope;
    }

    private static Map<String, String> own() {
        Map<String, String> own = new LinkedHashMap<>();
        own.put("execution_id", "\"exec_1\"");
        own.put("usage", "{\"cpu_ms\":1}");
        return own;
    }
}
