package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What becomes of the bytes of a streamed completion, however they are cut and whatever they are. */
class ChatStreamTest {
    private static final int ANSWER_BYTES_MAX = 64 * 1024;

    private static final String HEAD =
            "\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1741569952,\"model\":\"gpt-5-mini\"";

    private static String piece(String rest) {
        return "data: {" + HEAD + "," + rest + "}\n\n";
    }

    private static String delta(String delta) {
        return piece("\"choices\":[{\"index\":0,\"delta\":" + delta
                + ",\"logprobs\":null,\"finish_reason\":null}],\"usage\":null");
    }

    private static final String FINISHED = piece("\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]");
    private static final String USAGE =
            piece("\"choices\":[],\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":10,\"total_tokens\":29}");
    private static final String DONE = "data: [DONE]\n\n";
    private static final String HELLO =
            delta("{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}") + delta("{\"content\":\"Hel\"}")
                    + ": a comment\n\n" + delta("{\"content\":\"lo ä😀\"}") + FINISHED + USAGE + DONE;

    private static ChatStream.Ended end(ChatStream stream, String bytes) {
        stream.read(bytes.getBytes(StandardCharsets.UTF_8));
        return stream.over();
    }

    private static ChatStream.Ended end(String bytes) {
        return end(new ChatStream(ANSWER_BYTES_MAX), bytes);
    }

    private static JsonNode whole(String bytes) {
        return ((ChatStream.Ended.Whole) end(bytes)).completion();
    }

    private static ChatStream.Ended.Broken broken(String bytes) {
        return (ChatStream.Ended.Broken) end(bytes);
    }

    @Test
    void isTheSameCompletionAsOneThatIsNotStreamed() {
        assertThat(whole(HELLO))
                .isEqualTo(Calls.object(
                        "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1741569952,\"model\":\"gpt-5-mini\","
                                + "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hello ä😀\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
                                + "\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":10,\"total_tokens\":29}}"));
    }

    @Test
    void doesNotMindWhereTheBytesAreCut() {
        for (String ends : List.of("\n", "\r", "\r\n")) {
            byte[] bytes = HELLO.replace("\n", ends).getBytes(StandardCharsets.UTF_8);
            for (int step = 1; step <= 7; step++) {
                ChatStream stream = new ChatStream(ANSWER_BYTES_MAX);
                List<JsonNode> pieces = new ArrayList<>();
                for (int at = 0; at < bytes.length; at += step) {
                    pieces.addAll(stream.read(Arrays.copyOfRange(bytes, at, Math.min(at + step, bytes.length))));
                }
                assertThat(pieces).hasSize(5);
                assertThat(stream.over()).isEqualTo(end(HELLO));
            }
        }
    }

    @Test
    void putsToolCallsTogetherByTheirIndex() {
        JsonNode message = whole(delta(
                                "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"index\":1,\"id\":\"call_b\",\"type\":\"function\","
                                        + "\"function\":{\"name\":\"second\",\"arguments\":\"\"}}]}")
                        + delta(
                                "{\"tool_calls\":[{\"index\":0,\"id\":\"call_a\",\"type\":\"function\",\"function\":{\"name\":\"first\",\"arguments\":\"{\\\"a\\\"\"}},"
                                        + "{\"index\":1,\"function\":{\"arguments\":\"{}\"}}]}")
                        + delta("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\":1}\"}}]}")
                        + piece("\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]")
                        + DONE)
                .at("/choices/0/message");

        assertThat(message.path("content").isNull()).isTrue();
        assertThat(message.path("tool_calls"))
                .isEqualTo(Calls.object(
                                "{\"l\":[{\"id\":\"call_a\",\"type\":\"function\",\"function\":{\"name\":\"first\",\"arguments\":\"{\\\"a\\\":1}\"}},"
                                        + "{\"id\":\"call_b\",\"type\":\"function\",\"function\":{\"name\":\"second\",\"arguments\":\"{}\"}}]}")
                        .path("l"));
    }

    @Test
    void keepsSeveralChoicesTheirProbabilitiesAndWhatItDoesNotKnow() {
        JsonNode choices = whole(piece(
                                "\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\",\"reasoning_content\":\"be\"},\"logprobs\":{\"content\":[{\"token\":\"b\"}]}}]")
                        + piece(
                                "\"choices\":[{\"index\":0,\"delta\":{\"refusal\":\"no\"},\"finish_reason\":\"stop\"},"
                                        + "{\"index\":1,\"delta\":{\"content\":\"c\",\"reasoning_content\":\"cause\"},\"logprobs\":{\"content\":[{\"token\":\"c\"}]},\"finish_reason\":\"length\"}]")
                        + DONE)
                .path("choices");

        assertThat(choices.at("/0/message/refusal").asText()).isEqualTo("no");
        assertThat(choices.at("/1/message/content").asText()).isEqualTo("bc");
        assertThat(choices.at("/1/message/reasoning_content").asText()).isEqualTo("because");
        assertThat(choices.at("/1/logprobs/content")).hasSize(2);
        assertThat(choices.at("/1/finish_reason").asText()).isEqualTo("length");
    }

    @Test
    void takesAnOrderlyEndForTheLastWord() {
        assertThat(whole(HELLO.replace(DONE, ""))).isEqualTo(whole(HELLO));
        assertThat(whole("\ufeff" + HELLO + "data: {broken")).isEqualTo(whole(HELLO));
    }

    @Test
    void isNoneWhenItBrokeOff() {
        assertThat(broken("").code()).isEqualTo("provider_error");
        assertThat(broken(DONE).code()).isEqualTo("provider_error");
        assertThat(broken(delta("{\"content\":\"Hel\"}")).code()).isEqualTo("provider_error");
        assertThat(broken(delta("{\"content\":\"Hel\"}") + DONE).code()).isEqualTo("provider_error");
        assertThat(broken(delta("{\"content\":\"Hel\"}") + FINISHED.strip()).code())
                .isEqualTo("provider_error");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "data: {\n\n",
                "data: [1]\n\n",
                "data: 7\n\n",
                "data: hello\n\n",
                "data: {}\n\n",
                "data: {\"choices\":{}}\n\n",
                "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n",
                "data: {\"choices\":[{\"index\":-1,\"delta\":{}}]}\n\n",
                "data: {\"choices\":[{\"index\":4000,\"delta\":{}}]}\n\n",
                "data: {\"choices\":[{\"index\":0.5,\"delta\":{}}]}\n\n",
                "data: {\"choices\":[{\"index\":0,\"delta\":[]}]}\n\n",
                "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"id\":\"a\"}]}}]}\n\n",
                "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"type\":\"custom\"}]}}]}\n\n",
            })
    void isNoneWithAPieceThatIsNone(String malformed) {
        assertThat(broken(delta("{\"content\":\"Hel\"}") + malformed + FINISHED + DONE)
                        .code())
                .isEqualTo("bad_answer");
    }

    @Test
    void isNoneWithBytesThatAreNoText() {
        ChatStream stream = new ChatStream(ANSWER_BYTES_MAX);
        stream.read(new byte[] {'d', 'a', 't', 'a', ':', (byte) 0xc3, (byte) 0x28, '\n', '\n'});

        assertThat(stream.ended())
                .hasValueSatisfying(end ->
                        assertThat(((ChatStream.Ended.Broken) end).code()).isEqualTo("bad_answer"));
    }

    @Test
    void passesOnThatTheProviderFailedInTheMiddle() {
        assertThat(end(delta("{\"content\":\"Hel\"}") + "data: {\"error\":{\"message\":\"overloaded\"}}\n\n" + FINISHED
                        + DONE))
                .isEqualTo(new ChatStream.Ended.Failed(Calls.object("{\"error\":{\"message\":\"overloaded\"}}")));
    }

    @Test
    void readsNoMoreThanItsLimits() {
        ChatStream line = new ChatStream(1 << 20);
        line.read(("data: " + "x".repeat(ChatStream.EVENT_BYTES_MAX)).getBytes(StandardCharsets.UTF_8));
        assertThat(((ChatStream.Ended.Broken) line.ended().orElseThrow()).code())
                .isEqualTo("answer_too_large");

        ChatStream lines = new ChatStream(1 << 20);
        lines.read("data: x\n".repeat(ChatStream.EVENT_BYTES_MAX / 6).getBytes(StandardCharsets.UTF_8));
        assertThat(lines.ended()).isPresent();

        ChatStream endless = new ChatStream(1_000);
        int rounds = 0;
        while (endless.ended().isEmpty() && rounds++ < 10_000) {
            assertThat(endless.read(delta("{\"content\":\"a\"}").getBytes(StandardCharsets.UTF_8)))
                    .hasSizeLessThanOrEqualTo(1);
        }
        assertThat(((ChatStream.Ended.Broken) endless.ended().orElseThrow()).code())
                .isEqualTo("answer_too_large");

        ChatStream silent = new ChatStream(1_000);
        silent.read(": still here\n\n".repeat(1_000).getBytes(StandardCharsets.UTF_8));
        assertThat(silent.ended()).isPresent();

        assertThat(((ChatStream.Ended.Broken) end(
                                new ChatStream(300),
                                delta("{\"content\":\"" + "a".repeat(400) + "\"}") + FINISHED + DONE))
                        .code())
                .as("put together")
                .isEqualTo("answer_too_large");
    }
}
