package io.aiel.plane.audit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.EventId;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.erdtman.jcs.JsonCanonicalizer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class AuditCodecTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private final AuditCodec codec = new AuditCodec(AuditEvents.CLOCK);

    /** Written by hand from CloudEvents 1.0 and RFC 8785, not produced by the code. Fails when a member, its order or its form changes. */
    @Test
    void writesTheCanonicalBytesOfAnAdmittedExecution() {
        AuditRecord record = codec.encode(
                AuditEvents.CONTEXT,
                new AuditEvent.ExecutionAdmitted(AuditEvents.EXECUTION),
                StreamPosition.startOf(AuditEvents.EXECUTION),
                new EventId("evt_00000000000000000000000000000009"));

        assertThat(record.canonical())
                .isEqualTo("{\"data\":{\"execution_id\":\"exec_00000000000000000000000000000005\"},"
                        + "\"datacontenttype\":\"application/json\","
                        + "\"dataschema\":\"urn:aiel:plane:event:execution.admitted:v1\","
                        + "\"id\":\"evt_00000000000000000000000000000009\","
                        + "\"prev\":\"sha256:0000000000000000000000000000000000000000000000000000000000000000\","
                        + "\"principal\":\"prn_00000000000000000000000000000004\","
                        + "\"project\":\"proj_00000000000000000000000000000003\","
                        + "\"requestid\":\"req-1\","
                        + "\"sequence\":\"000000000000001\","
                        + "\"source\":\"/tenants/ten_00000000000000000000000000000001"
                        + "/workspaces/ws_00000000000000000000000000000002"
                        + "/projects/proj_00000000000000000000000000000003\","
                        + "\"specversion\":\"1.0\","
                        + "\"stream\":\"execution/exec_00000000000000000000000000000005\","
                        + "\"subject\":\"exec_00000000000000000000000000000005\","
                        + "\"tenant\":\"ten_00000000000000000000000000000001\","
                        + "\"time\":\"2026-03-04T05:06:07.891234Z\","
                        + "\"traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\","
                        + "\"type\":\"io.aiel.plane.execution.admitted.v1\","
                        + "\"workspace\":\"ws_00000000000000000000000000000002\"}");
        // printf %s '<the text above>' | sha256sum
        assertThat(record.hash().hex()).isEqualTo("bc491f5ceadd7c29f19555e828f03f5d4dd29caa83d93566494ea11c1f25e615");
    }

    /** RFC 8785, sections 3.2.2 and 3.2.3: the library we rely on gives the bytes of the specification. */
    @Test
    void canonicalisesTheExamplesOfTheSpecification() throws Exception {
        String example = "{\"numbers\":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"
                + "\"string\":\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\",\"literals\":[null,true,false]}";
        assertThat(new JsonCanonicalizer(example).getEncodedString())
                .isEqualTo("{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
                        + "\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");

        String order =
                "{\"\\u20ac\":1,\"\\r\":2,\"\\ufb33\":3,\"1\":4,\"\\ud83d\\ude00\":5,\"\\u0080\":6,\"\\u00f6\":7}";
        assertThat(new JsonCanonicalizer(order).getEncodedString())
                .isEqualTo("{\"\\r\":2,\"1\":4,\"\u0080\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\ufb33\":3}");
    }

    /** RFC 8785 appendix B, the doubles as their IEEE bits. */
    @Test
    void writesNumbersAsTheSpecificationDoes() throws Exception {
        Map<Long, String> samples = Map.ofEntries(
                Map.entry(0x0000000000000000L, "0"),
                Map.entry(0x8000000000000000L, "0"),
                Map.entry(0x0000000000000001L, "5e-324"),
                Map.entry(0x7fefffffffffffffL, "1.7976931348623157e+308"),
                Map.entry(0x4340000000000000L, "9007199254740992"),
                Map.entry(0x4430000000000000L, "295147905179352830000"),
                Map.entry(0x44b52d02c7e14af5L, "9.999999999999997e+22"),
                Map.entry(0x44b52d02c7e14af6L, "1e+23"),
                Map.entry(0x444b1ae4d6e2ef4eL, "999999999999999700000"),
                Map.entry(0x444b1ae4d6e2ef50L, "1e+21"),
                Map.entry(0x3eb0c6f7a0b5ed8dL, "0.000001"),
                Map.entry(0x41b3de4355555553L, "333333333.3333332"),
                Map.entry(0xbecbf647612f3696L, "-0.0000033333333333333333"),
                Map.entry(0x43143ff3c1cb0959L, "1424953923781206.2"));
        for (var sample : samples.entrySet()) {
            String json = "[" + Double.longBitsToDouble(sample.getKey()) + "]";
            assertThat(new JsonCanonicalizer(json).getEncodedString()).isEqualTo("[" + sample.getValue() + "]");
        }
    }

    static Stream<AuditEvent> everyEvent() {
        return AuditEvents.all().stream();
    }

    @ParameterizedTest
    @MethodSource("everyEvent")
    void namesExtensionAttributesAsCloudEventsDemands(AuditEvent event) throws Exception {
        JsonNode json = JSON.readTree(codec.encode(AuditEvents.CONTEXT, event, StreamPosition.start("s"))
                .canonical());

        assertThat(json.fieldNames()).toIterable().allMatch(name -> name.matches("[a-z0-9]{1,20}"));
        assertThat(json.path("specversion").textValue()).isEqualTo("1.0");
        assertThat(json.path("type").textValue()).isEqualTo(EventTypes.of(event));
        json.forEach(value ->
                assertThat(value.isTextual() ? value.textValue() : "data").isNotEmpty());
    }

    @Test
    void hasAnExampleOfEveryType() {
        assertThat(AuditEvents.all().stream().map(EventTypes::of)).containsExactlyElementsOf(EventTypes.ALL);
    }

    /** Fails when the codec forgets {@code prev} or the chain forgets to move on. */
    @Test
    void chainsEachRecordToTheOneBefore() throws Exception {
        AuditChain chain = AuditChain.begin(codec, AuditEvents.CONTEXT, AuditEvents.EXECUTION);
        List<AuditRecord> records = new ArrayList<>();
        records.add(chain.append(AuditEvents.requested()));
        records.add(chain.append(AuditEvents.decided("{}")));
        AuditChain resumed = AuditChain.resume(codec, AuditEvents.CONTEXT, chain.position());
        records.add(resumed.append(AuditEvents.finished()));

        Digest prev = AuditCodec.GENESIS;
        for (int i = 0; i < records.size(); i++) {
            AuditRecord record = records.get(i);
            JsonNode json = JSON.readTree(record.canonical());
            assertThat(json.path("prev").textValue()).isEqualTo(prev.value());
            assertThat(json.path("sequence").textValue()).isEqualTo(String.format("%015d", i + 1));
            assertThat(record.sequence()).isEqualTo(i + 1);
            assertThat(record.hash()).isEqualTo(Digest.of(record.canonical().getBytes(StandardCharsets.UTF_8)));
            prev = record.hash();
        }
    }

    /** Whoever put records in order by their time would have the end of this execution before its beginning. */
    @Test
    void keepsTheOrderOfAStreamWhenTheClockIsSetBackAnHour() throws Exception {
        Instant began = AuditEvents.CLOCK.instant();
        AuditCodec setBack = new AuditCodec(Clock.fixed(began.minus(Duration.ofHours(1)), ZoneOffset.UTC));
        AuditChain chain = AuditChain.begin(codec, AuditEvents.CONTEXT, AuditEvents.EXECUTION);

        AuditRecord first = chain.append(AuditEvents.requested());
        AuditRecord second = AuditChain.resume(setBack, AuditEvents.CONTEXT, chain.position())
                .append(AuditEvents.finished());

        JsonNode last = JSON.readTree(second.canonical());
        assertThat(second.sequence()).isEqualTo(first.sequence() + 1);
        assertThat(last.path("prev").textValue()).isEqualTo(first.hash().value());
        assertThat(Instant.parse(last.path("time").textValue()))
                .as("what the clock said then, and not what it should have said")
                .isEqualTo(began.minus(Duration.ofHours(1)));
    }

    @Test
    void refusesAnEventOfAnotherExecution() {
        AuditChain chain = AuditChain.begin(codec, AuditEvents.CONTEXT, ExecutionId.create());

        assertThatThrownBy(() -> chain.append(AuditEvents.finished()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(AuditEvents.EXECUTION.value());
    }

    @Test
    void closesALostExecutionWithItsOwnStatus() throws Exception {
        AuditChain chain = AuditChain.begin(codec, AuditEvents.CONTEXT, AuditEvents.EXECUTION);

        JsonNode data = JSON.readTree(chain.appendLost(AuditEvents.EXECUTION).canonical())
                .path("data");

        assertThat(data.path("status").textValue()).isEqualTo("lost");
        assertThat(data.path("code").textValue()).isEqualTo("EXECUTION_LOST");
    }

    @Test
    void keepsThePolicyInputAsJson() throws Exception {
        String input = "{\"b\":1.5,\"a\":{\"é\":[1,2,9007199254740991],\"t\":\"x\\ny\"}}";

        JsonNode data = data(AuditEvents.decided(input));

        assertThat(data.path("input")).isEqualTo(JSON.readTree(input));
        assertThat(data.path("input_digest").textValue())
                .isEqualTo(Digest.of(input).value());
        assertThat(data.path("decision").textValue()).isEqualTo("allow");
    }

    /**
     * A canonical form that would change the input must not stand in for it: re-deciding later would ask another question. The
     * exponent of eleven digits was seen failing: it made recording fail.
     */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"a\":9007199254740993}",
                "{\"a\":12345678901234567890123}",
                "{\"a\":0.1000000000000000055511151231257827}",
                "{\"a\":1e999}",
                "{\"a\":0e-99999999999}",
                "{\"a\":1,\"a\":2}",
                "{\"a\":\"\\ud800\"}",
                "{\"a\":\"\\u0085\"}",
                "{\"a\":\"\\u2028\"}",
                "[1,2",
                "not json",
                "",
            })
    void keepsAnInputWithoutExactCanonicalFormAsText(String input) throws Exception {
        JsonNode data = data(AuditEvents.decided(input));

        assertThat(data.has("input")).isFalse();
        assertThat(data.path("input_text").textValue()).isEqualTo(input);
    }

    @Test
    void keepsTheMeaningOfTextThatItEscapes() throws Exception {
        String input = "{\"a\":\"x\u2028\u009b\ud800y\",\n\"big\":9007199254740993}";

        String text = data(AuditEvents.decided(input)).path("input_text").textValue();

        assertThat(text).isEqualTo("{\"a\":\"x\\u2028\\u009b\\ud800y\", \"big\":9007199254740993}");
        assertThat(JSON.readTree(text)).isEqualTo(JSON.readTree(input));
    }

    @Test
    void survivesAnInputThatIsNestedTooDeepOrTooLarge() throws Exception {
        JsonNode deep = data(AuditEvents.decided("[".repeat(50_000) + "]".repeat(50_000)));
        assertThat(deep.has("input_text")).isTrue();

        JsonNode large = data(AuditEvents.decided("{\"a\":\"" + "x".repeat(3_000_000) + "\"}"));
        assertThat(large.path("input_cut").booleanValue()).isTrue();
        assertThat(large.path("input_characters").intValue()).isEqualTo(3_000_008);

        AuditRecord worst = codec.encode(
                AuditEvents.CONTEXT, AuditEvents.decided("\u0000\ud800".repeat(90_000)), StreamPosition.start("s"));
        assertThat(PgOutbox.bytesOf(worst)).isLessThan(1_000_000);
    }

    /** Fails when any of the texts that a caller chooses reaches the record unchecked. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "a\r\nHTTP/1.1 200 OK",
                "\u001b[2J\u001b]0;owned\u0007",
                "\u009b31mred",
                "lone \ud83d surrogate",
                "lone \udc00 surrogate",
                "two\u2028lines\u2029more\u0085",
                "\u202egnp.exe",
                "nul\u0000byte",
                "quote\" brace} \\ backslash",
                "\ufeffbom \uffff",
            })
    void writesOneSafeLineWhateverTheTextHolds(String hostile) throws Exception {
        AuditContext context = new AuditContext(
                AuditEvents.TENANT,
                AuditEvents.CONTEXT.workspace(),
                AuditEvents.CONTEXT.project(),
                AuditEvents.CONTEXT.principal(),
                hostile,
                hostile);
        List<AuditEvent> events = List.of(
                new AuditEvent.ExecutionDenied(AuditEvents.EXECUTION, hostile, List.of(hostile)),
                new AuditEvent.ControlChanged(hostile, hostile, Map.of(hostile, hostile)),
                new AuditEvent.AccessDenied(hostile, hostile, AuditEvents.deny("\"" + hostile + "\"", hostile)),
                new AuditEvent.AuditRead(hostile, 1),
                new AuditEvent.ExecutionFinished(
                        AuditEvents.EXECUTION,
                        hostile,
                        500,
                        hostile,
                        AuditEvents.finished().resultDigest(),
                        AuditEvents.finished().usage(),
                        new JsonText(hostile),
                        hostile));
        for (AuditEvent event : events) {
            AuditRecord record = codec.encode(context, event, StreamPosition.start("s"));

            assertThat(record.canonical().chars())
                    .noneMatch(c -> c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029 || c == 0x202e);
            byte[] utf8 = record.canonical().getBytes(StandardCharsets.UTF_8);
            assertThat(new String(utf8, StandardCharsets.UTF_8)).isEqualTo(record.canonical());
            assertThat(new JsonCanonicalizer(utf8).getEncodedUTF8()).isEqualTo(utf8);
            assertThat(JSON.readTree(utf8).path("requestid").textValue()).isNotEmpty();
        }
    }

    @Test
    void recordsRandomTextsOfAnyKindAndStaysCanonical() throws Exception {
        Random random = new Random(8785);
        for (int round = 0; round < 500; round++) {
            StringBuilder text = new StringBuilder();
            for (int i = random.nextInt(60); i >= 0; i--) {
                text.append((char) (random.nextBoolean() ? random.nextInt(0x100) : random.nextInt(0x10000)));
            }
            AuditRecord record = codec.encode(
                    AuditEvents.CONTEXT,
                    new AuditEvent.ControlChanged("a.b", text.toString(), Map.of(text.toString(), text.toString())),
                    StreamPosition.start("s"));
            byte[] utf8 = record.canonical().getBytes(StandardCharsets.UTF_8);

            assertThat(new JsonCanonicalizer(utf8).getEncodedUTF8()).isEqualTo(utf8);
            assertThat(RecordText.isLineSafe(record.canonical())).isTrue();
        }
    }

    @Test
    void boundsHugeTextsAndNamesWhatWasCut() throws Exception {
        String huge = "x".repeat(5_000_000);
        AuditRecord record = codec.encode(
                AuditEvents.CONTEXT,
                new AuditEvent.ExecutionDenied(
                        AuditEvents.EXECUTION, huge, java.util.Collections.nCopies(10_000, huge)),
                StreamPosition.start("s"));

        assertThat(PgOutbox.bytesOf(record)).isLessThan(300_000);
        JsonNode data = JSON.readTree(record.canonical()).path("data");
        assertThat(data.path("code").textValue()).endsWith("… (5000000 characters, " + Digest.of(huge) + ")");
        assertThat(data.path("reasons_left_out").intValue()).isEqualTo(10_000 - 64);
    }

    @Test
    void keepsTheIdempotencyKeyAsADigestOnly() {
        AuditRecord record = codec.encode(
                AuditEvents.CONTEXT, AuditEvents.requested(), StreamPosition.startOf(AuditEvents.EXECUTION));

        assertThat(record.canonical())
                .doesNotContain("order-4711")
                .contains(Digest.of("order-4711").value());
    }

    private JsonNode data(AuditEvent event) throws Exception {
        return JSON.readTree(codec.encode(AuditEvents.CONTEXT, event, StreamPosition.start("s"))
                        .canonical())
                .path("data");
    }
}
