package io.aiel.plane.gateway.execution;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.registry.Target;
import io.aiel.plane.vocabulary.RetryRule;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What the reader takes and what it refuses; the same requests go through the published runner in the system tests. */
class RunnerRequestReaderTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    static Stream<Arguments> refused() {
        return Stream.of(
                argumentSet("not an object", "[]", ""),
                argumentSet("no action", "{}", "/action"),
                argumentSet("an unknown action", "{'action':'run'}", "/action"),
                argumentSet("another schema version", "{'action':'describe','schema_version':'v2'}", "/schema_version"),
                argumentSet("invoke without kind", "{'action':'invoke','handler':'a'}", "/kind"),
                argumentSet("an unknown kind", "{'action':'invoke','kind':'job','handler':'a'}", "/kind"),
                argumentSet("a kind that is a number", "{'action':'invoke','kind':1,'handler':'a'}", "/kind"),
                argumentSet("a tool without handler", "{'action':'invoke','kind':'tool'}", "/handler"),
                argumentSet("a handler that is a number", "{'action':'invoke','kind':'tool','handler':1}", "/handler"),
                argumentSet(
                        "an event that is a list",
                        "{'action':'invoke','kind':'tool','handler':'a','event':[]}",
                        "/event"),
                argumentSet("http without http", "{'action':'invoke','kind':'http'}", "/http"),
                argumentSet(
                        "an http method the runtime does not know",
                        "{'action':'invoke','kind':'http','http':{'method':'DELETE','path':'/'}}",
                        "/http/method"),
                argumentSet(
                        "an unknown member of http",
                        "{'action':'invoke','kind':'http','http':{'method':'GET','path':'/','a/b':1}}",
                        "/http/a~1b"),
                argumentSet(
                        "an http header that is a number",
                        "{'action':'invoke','kind':'http','http':{'method':'GET','path':'/','headers':{'a':1}}}",
                        "/http/headers/a"),
                argumentSet("mcp without mcp", "{'action':'invoke','kind':'mcp'}", "/mcp"),
                argumentSet(
                        "mcp arguments that are a list",
                        "{'action':'invoke','kind':'mcp','mcp':{'server':'s','tool':'t','args':[]}}",
                        "/mcp/args"),
                argumentSet("an unknown member of meta", "{'action':'describe','meta':{'x':1}}", "/meta/x"),
                argumentSet(
                        "an unknown capability",
                        "{'action':'describe','meta':{'capabilities':{'root':true}}}",
                        "/meta/capabilities/root"),
                argumentSet("a timeout of zero", "{'action':'describe','meta':{'timeout_ms':0}}", "/meta/timeout_ms"),
                argumentSet(
                        "a timeout that is too long",
                        "{'action':'describe','meta':{'timeout_ms':900001}}",
                        "/meta/timeout_ms"),
                argumentSet(
                        "a timeout that is a boolean",
                        "{'action':'describe','meta':{'timeout_ms':true}}",
                        "/meta/timeout_ms"),
                argumentSet(
                        "a fraction as timeout", "{'action':'describe','meta':{'timeout_ms':1.5}}", "/meta/timeout_ms"),
                argumentSet(
                        "a timeout beyond any integer",
                        "{'action':'describe','meta':{'timeout_ms':1e99}}",
                        "/meta/timeout_ms"),
                argumentSet(
                        "snapshot and environment",
                        "{'action':'describe','snapshot':'x','environment':'y'}",
                        "/snapshot"),
                argumentSet("a snapshot that is no digest", "{'action':'describe','snapshot':'x'}", "/snapshot"),
                argumentSet("a context that is a text", "{'action':'describe','ctx':'x'}", "/ctx"));
    }

    @ParameterizedTest
    @MethodSource("refused")
    void namesTheMemberThatIsWrong(String text, String pointer) throws Exception {
        RunnerRequestReader.Result result = new RunnerRequestReader(900_000).read(json(text), Optional.empty());

        assertThat(result)
                .isInstanceOfSatisfying(
                        RunnerRequestReader.Result.Invalid.class,
                        invalid -> assertThat(invalid.errors())
                                .extracting(InputError::pointer)
                                .contains(pointer));
    }

    @Test
    void tellsEverythingThatIsWrongAtOnce() throws Exception {
        RunnerRequestReader.Result result = new RunnerRequestReader(900_000)
                .read(json("{'action':'x','kind':'y','event':1,'meta':{'timeout_ms':-1,'z':1}}"), Optional.empty());

        assertThat(result)
                .isInstanceOfSatisfying(
                        RunnerRequestReader.Result.Invalid.class,
                        invalid -> assertThat(invalid.errors())
                                .extracting(InputError::pointer)
                                .containsExactlyInAnyOrder(
                                        "/action", "/kind", "/event", "/meta/z", "/meta/timeout_ms"));
    }

    /** Neither what decides nor what runs could be asked; a name with NUL could not be recorded, nor may a token be. */
    @Test
    void refusesTextThatCanNeitherBeWrittenNorRecorded() throws Exception {
        for (String request : List.of(
                "{'action':'invoke','kind':'tool','handler':'x','event':{'a':['\\ud800b']}}",
                "{'action':'invoke','kind':'tool','handler':'x','event':{'\\udc00':1}}",
                "{'action':'describe','environment':'a\\u0000'}",
                "{'action':'describe','meta':{'request_id':'aielp_usr_0123456789abcdefghijklmnopqrstABCDEF'}}")) {
            assertThat(new RunnerRequestReader(900_000).read(json(request), Optional.empty()))
                    .as(request)
                    .isInstanceOf(RunnerRequestReader.Result.Invalid.class);
        }
        assertThat(new RunnerRequestReader(900_000)
                        .read(
                                json("{'action':'invoke','kind':'tool','handler':'x','event':{'a':'\\ud83d\\ude00'}}"),
                                Optional.empty()))
                .isInstanceOf(RunnerRequestReader.Result.Read.class);
    }

    @Test
    void turnsLegacyNamesIntoTheirSuccessors() throws Exception {
        RunnerRequest request =
                read("{'action':'invoke','kind':'tool','name':'add','payload':{'a':1},'meta':{'timeout_ms':'5000'}}");

        assertThat(request.capability()).hasToString("Optional[tool:add]");
        assertThat(request.timeoutMs()).isEqualTo(5000);
        assertThat(request.document().toString())
                .isEqualTo(
                        "{\"schema_version\":\"v1\",\"action\":\"invoke\",\"kind\":\"tool\",\"handler\":\"add\",\"event\":{\"a\":1}}");
        assertThat(request.target()).isEqualTo(new Target.Environment("production"));
    }

    @Test
    void namesHttpAndMcpCapabilitiesAsTheRegistryDoes() throws Exception {
        RunnerRequest http = read("{'action':'invoke','kind':'http','http':{'method':'GET','path':'/a/b'}}");
        RunnerRequest mcp = read("{'action':'invoke','kind':'mcp','mcp':{'server':'s','tool':'t','args':{'x':1}}}");

        assertThat(http.capability()).hasToString("Optional[http:GET /a/b]");
        assertThat(mcp.capability()).hasToString("Optional[mcp:s/t]");
        assertThat(mcp.arguments().toString()).isEqualTo("{\"x\":1}");
    }

    @Test
    void readsWhatIsAskedOfTheQueue() throws Exception {
        Queueing wishes = read("{'action':'execute','meta':{'priority':-2,'start_at':'2030-01-31T08:00:00+01:00',"
                        + "'retry':{'max_attempts':3,'backoff_ms':200}}}")
                .queueing()
                .orElseThrow();

        assertThat(wishes.priority()).isEqualTo(-2);
        assertThat(wishes.startAt()).contains(Instant.parse("2030-01-31T07:00:00Z"));
        assertThat(wishes.retry()).contains(new RetryRule(3, Duration.ofMillis(200), Duration.ofMinutes(5)));
        assertThat(read("{'action':'execute','meta':{'priority':null}}").queueing())
                .isEmpty();
    }

    @Test
    void namesEachMemberOfTheQueueThatIsWrong() throws Exception {
        RunnerRequestReader.Result result = new RunnerRequestReader(900_000)
                .read(
                        json("{'action':'execute','meta':{'priority':10,'start_at':'tomorrow','keep_input':'yes',"
                                + "'retry':{'backoff_ms':1,'backoff_max_ms':3600001,'z/':1}}}"),
                        Optional.empty());

        assertThat(result)
                .isInstanceOfSatisfying(
                        RunnerRequestReader.Result.Invalid.class,
                        invalid -> assertThat(invalid.errors())
                                .extracting(InputError::pointer)
                                .containsExactlyInAnyOrder(
                                        "/meta/priority",
                                        "/meta/start_at",
                                        "/meta/keep_input",
                                        "/meta/retry/z~1",
                                        "/meta/retry/max_attempts",
                                        "/meta/retry/backoff_ms",
                                        "/meta/retry/backoff_max_ms"));
    }

    private static RunnerRequest read(String text) throws Exception {
        return ((RunnerRequestReader.Result.Read) new RunnerRequestReader(900_000).read(json(text), Optional.empty()))
                .request();
    }

    private static JsonNode json(String text) throws Exception {
        return JSON.readTree(text.replace('\'', '"'));
    }
}
