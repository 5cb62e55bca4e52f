package io.aiel.plane.registry.snapshot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.JsonText;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The worker that reports exports may be in a stranger's hands: what it says is read, or refused in words, and nothing else. */
class ExportsTest {
    private static final String GREET = "{\"kind\":\"tool\",\"name\":\"greet\"}";

    @Test
    void readsWhatIsDocumentedAndDropsTheRest() {
        List<JsonNode> read = Exports.read(new JsonText("""
                [{"kind":"tool","name":"greet","description":"d","tags":["t"],"input_schema":{"type":"object"},
                  "file":"a.py","line":3,"surprise":{"x":1}},
                 {"kind":"http","name":"GET /a","method":"GET","path":"/a"}]
                """));

        Capability tool = Exports.capability(read.get(1));
        assertThat(Exports.capability(read.get(0)).method()).contains("GET");
        assertThat(tool.ref()).hasToString("tool:greet");
        assertThat(tool.line()).isEqualTo(3);
        assertThat(tool.inputSchema()).contains(new JsonText("{\"type\":\"object\"}"));
        assertThat(read.get(1).has("surprise")).isFalse();
    }

    /** Seen to fail: without the check for infinity, 1e400 is taken and becomes the text {@code "Infinity"}. */
    @ParameterizedTest
    @MethodSource("hostile")
    void refusesInWordsWhatIsNoListOfExports(String exports) {
        assertThatThrownBy(() -> Exports.read(new JsonText(exports)))
                .isInstanceOf(Exports.InvalidExports.class)
                .message()
                .isNotBlank()
                .hasSizeLessThan(2_000);
    }

    static Stream<String> hostile() {
        return Stream.of(
                "",
                "null",
                "{}",
                "7",
                "\"[]\"",
                "[",
                "[] []",
                "[null]",
                "[[]]",
                "[7]",
                "[{}]",
                "[{\"kind\":\"tool\"}]",
                "[{\"name\":\"greet\"}]",
                "[{\"kind\":\"spy\",\"name\":\"greet\"}]",
                "[{\"kind\":7,\"name\":\"greet\"}]",
                "[{\"kind\":\"tool\",\"name\":7}]",
                "[{\"kind\":\"tool\",\"name\":null}]",
                "[{\"kind\":\"tool\",\"name\":[\"greet\"]}]",
                "[{\"kind\":\"tool\",\"name\":\"\"}]",
                "[{\"kind\":\"tool\",\"name\":\"" + "n".repeat(10_000) + "\"}]",
                "[{\"kind\":\"tool\",\"name\":\"a\\u0000b\"}]",
                "[{\"kind\":\"tool\",\"name\":\"a\\u001b[2Jb\"}]",
                "[{\"kind\":\"tool\",\"name\":\"a\\ud800\"}]",
                "[{\"kind\":\"tool\",\"kind\":\"http\",\"name\":\"a\"}]",
                "[" + GREET + "," + GREET + "]",
                with("\"description\":7"),
                with("\"description\":\"" + "d".repeat(8_193) + "\""),
                with("\"description\":\"\\udc00\""),
                with("\"tags\":\"t\""),
                with("\"tags\":[7]"),
                with("\"tags\":[" + "\"t\",".repeat(256) + "\"t\"]"),
                with("\"allowed_actions\":{}"),
                with("\"input_schema\":[]"),
                with("\"input_schema\":\"{}\""),
                with("\"input_schema\":{\"maximum\":1e400}"),
                with("\"input_schema\":{\"maximum\":NaN}"),
                with("\"input_schema\":{\"maximum\":" + "9".repeat(101) + "}"),
                with("\"input_schema\":{\"title\":\"\\ud83d\"}"),
                with("\"output_schema\":" + "{\"a\":".repeat(300) + "1" + "}".repeat(300)),
                with("\"output_schema\":{\"a\":\"" + "a".repeat(262_144) + "\"}"),
                with("\"method\":{}"),
                many(2_001),
                many(10_000),
                " ".repeat(Exports.EXPORTS_MAX) + "[]");
    }

    @Test
    void takesAsManyCapabilitiesAsTheLimitAllows() {
        assertThat(Exports.read(new JsonText(many(Exports.CAPABILITIES_MAX)))).hasSize(Exports.CAPABILITIES_MAX);
    }

    @ParameterizedTest
    @ValueSource(strings = {"1.0\u0000", "1.0\nfake log line", "\uD800"})
    void refusesVersionsThatAreNoPlainText(String version) {
        assertThatThrownBy(() -> Exports.read(
                        new SnapshotValidator.Validation.Valid(version, "0.5.3", new JsonText("[" + GREET + "]"))))
                .isInstanceOf(Exports.InvalidExports.class);
        assertThatThrownBy(() -> Exports.read(new SnapshotValidator.Validation.Valid(
                        "1.8.0", version.repeat(60), new JsonText("[" + GREET + "]"))))
                .isInstanceOf(Exports.InvalidExports.class);
    }

    /** A document damaged at random is read or refused; no other exception comes out, also not later when it is written. */
    @Test
    void neverFailsInAnyOtherWay() {
        String sound = with(
                "\"tags\":[\"a\"],\"input_schema\":{\"type\":\"object\",\"maximum\":12.5e1},\"line\":3,\"file\":\"\\u00fc.py\"");
        String alphabet = "{}[]\",:\\u0d8 e+-.9tnf";
        Random random = new Random(11);
        int refused = 0;
        for (int round = 0; round < 3_000; round++) {
            StringBuilder damaged = new StringBuilder(sound);
            for (int i = 0; i <= random.nextInt(3); i++) {
                damaged.setCharAt(random.nextInt(damaged.length()), alphabet.charAt(random.nextInt(alphabet.length())));
            }
            try {
                Exports.read(new JsonText(damaged.toString())).forEach(Exports::capability);
            } catch (Exports.InvalidExports e) {
                refused++;
            }
        }
        assertThat(refused).isBetween(300, 2_999);
    }

    private static String with(String members) {
        return "[{\"kind\":\"tool\",\"name\":\"greet\"," + members + "}]";
    }

    private static String many(int count) {
        return IntStream.range(0, count)
                .mapToObj(n -> "{\"kind\":\"tool\",\"name\":\"t" + n + "\"}")
                .collect(Collectors.joining(",", "[", "]"));
    }
}
