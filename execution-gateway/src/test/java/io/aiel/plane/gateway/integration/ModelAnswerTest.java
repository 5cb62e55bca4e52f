package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.vocabulary.ModelUse;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is believed of what a language model's answer says about itself. */
class ModelAnswerTest {
    private static ModelAnswer of(String answer) {
        return ModelAnswer.of("asked", Calls.object(answer));
    }

    @Test
    void readsTheNamesOfChatsEmbeddingsAndResponses() {
        assertThat(of("{\"model\":\"m-1\",\"choices\":[{\"finish_reason\":\"stop\"}],"
                        + "\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":10,\"total_tokens\":29}}"))
                .isEqualTo(new ModelAnswer("m-1", new ModelUse(1, 19, 10, 29), java.util.List.of("stop")));
        assertThat(of("{\"usage\":{\"prompt_tokens\":8,\"total_tokens\":8}}").use())
                .isEqualTo(new ModelUse(1, 8, 0, 8));
        assertThat(of("{\"usage\":{\"input_tokens\":36,\"output_tokens\":87,\"total_tokens\":123}}")
                        .use())
                .isEqualTo(new ModelUse(1, 36, 87, 123));
    }

    @Test
    void addsUpWhereNoTotalIsSaid() {
        assertThat(of("{\"usage\":{\"prompt_tokens\":2,\"completion_tokens\":3}}")
                        .use())
                .isEqualTo(new ModelUse(1, 2, 3, 5));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-1",
                "1.5",
                "1e300",
                "1000000001",
                "9223372036854775807",
                "99999999999999999999",
                "\"12\"",
                "null",
                "{}",
                "[7]",
                "true"
            })
    void takesNoNumberThatIsNone(String number) {
        ModelAnswer answer = of("{\"usage\":{\"prompt_tokens\":" + number + ",\"completion_tokens\":" + number
                + ",\"total_tokens\":" + number + "}}");

        assertThat(answer.use()).isEqualTo(new ModelUse(1, 0, 0, 0));
    }

    @ParameterizedTest
    @ValueSource(strings = {"{}", "{\"usage\":null}", "{\"usage\":[]}", "{\"usage\":7}", "{\"choices\":{}}"})
    void countsACallThatSaysNothing(String answer) {
        assertThat(of(answer).use()).isEqualTo(new ModelUse(1, 0, 0, 0));
        assertThat(of(answer).model()).isEqualTo("asked");
    }

    @Test
    void showsNoNameThatIsNone() {
        Stream.of("a b", "a\\u0000", "\\\"", "<b>", "ä", "x".repeat(129))
                .forEach(name -> assertThat(of("{\"model\":\"" + name + "\"}").model())
                        .as(name)
                        .isEqualTo("asked"));
        assertThat(of("{\"model\":\"ft:gpt-4o-mini:my-org::id_1/@+\"}").model()).startsWith("ft:");
    }
}
