package io.aiel.plane.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import io.aiel.plane.policy.DecisionReader.Reading;
import io.aiel.plane.vocabulary.RetryRule;
import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class DecisionReaderTest {

    @Test
    void readsAnExplicitYesWithEveryObligation() {
        Reading reading = DecisionReader.read("""
                [{"result":{"allow":true,"reasons":["granted: role admin"],"obligations":{"timeout_ms":1000,
                "max_memory_mb":64,"redact":["/password",""],"require_approval":true,"subprocess":true,
                "network":{"hosts":["api.example.com:443","files.example.com:80"]},"log_level":"warning",
                "retry":{"max_attempts":3,"backoff_ms":200}}}}]""");

        assertThat(reading).isInstanceOfSatisfying(Reading.Yes.class, yes -> {
            assertThat(yes.reasons()).containsExactly("granted: role admin");
            assertThat(yes.obligations().timeoutMs()).hasValue(1000);
            assertThat(yes.obligations().maxMemoryMb()).hasValue(64);
            assertThat(yes.obligations().redact()).containsExactly("/password", "");
            assertThat(yes.obligations().approvalRequired()).isTrue();
            assertThat(yes.obligations().network())
                    .extracting(Object::toString)
                    .containsExactly("api.example.com:443", "files.example.com:80");
            assertThat(yes.obligations().subprocess()).isTrue();
            assertThat(yes.obligations().logLevel()).hasValue("warning");
            assertThat(yes.obligations().retry())
                    .contains(new RetryRule(3, Duration.ofMillis(200), Duration.ofMinutes(5)));
        });
    }

    @Test
    void readsAnExplicitNo() {
        assertThat(DecisionReader.read(answer("false", "[\"too late\"]", "{}")))
                .isEqualTo(new Reading.No(List.of("too late")));
    }

    /**
     * Each of these is a way in which a policy, or something between it and us, can go wrong. Broken once by reading {@code
     * allow} with {@code asBoolean()}: five rows failed.
     */
    @ParameterizedTest(name = "{argumentSetName}")
    @MethodSource
    void anythingElseIsNoDecision(String resultSet) {
        assertThat(DecisionReader.read(resultSet))
                .isInstanceOfSatisfying(
                        Reading.Unusable.class,
                        unusable -> assertThat(unusable.why()).isNotBlank());
    }

    static Stream<Arguments> anythingElseIsNoDecision() {
        return Stream.of(
                argumentSet("no text at all", ""),
                argumentSet("blanks", "  \n"),
                argumentSet("undefined: an empty result set", "[]"),
                argumentSet("null", "null"),
                argumentSet("a bare true", "true"),
                argumentSet("an object where the result set should be", "{\"result\":" + decision("true") + "}"),
                argumentSet("the decision without its result set", decision("true")),
                argumentSet(
                        "two results", "[{\"result\":" + decision("true") + "},{\"result\":" + decision("true") + "}]"),
                argumentSet("a result set of an empty object", "[{}]"),
                argumentSet("a result set of null", "[null]"),
                argumentSet("a result with company", "[{\"result\":" + decision("true") + ",\"bindings\":{}}]"),
                argumentSet("a result of null", result("null")),
                argumentSet("a result of true", result("true")),
                argumentSet("a result that is a list", result("[" + decision("true") + "]")),
                argumentSet("a result that is a text", result("\"allow\"")),
                argumentSet("an empty decision", result("{}")),
                argumentSet("allow is the text true", answer("\"true\"", "[]", "{}")),
                argumentSet("allow is 1", answer("1", "[]", "{}")),
                argumentSet("allow is null", answer("null", "[]", "{}")),
                argumentSet("allow is a list of true", answer("[true]", "[]", "{}")),
                argumentSet("allow is an object", answer("{\"allow\":true}", "[]", "{}")),
                argumentSet("allow is missing", result("{\"reasons\":[\"r\"],\"obligations\":{}}")),
                argumentSet("allow is written Allow", result("{\"Allow\":true,\"reasons\":[],\"obligations\":{}}")),
                argumentSet(
                        "allow comes twice",
                        result("{\"allow\":false,\"allow\":true,\"reasons\":[],\"obligations\":{}}")),
                argumentSet(
                        "an unknown member", result("{\"allow\":true,\"reasons\":[],\"obligations\":{},\"note\":1}")),
                argumentSet("reasons are missing", result("{\"allow\":true,\"obligations\":{}}")),
                argumentSet("reasons are a text", answer("true", "\"fine\"", "{}")),
                argumentSet("a reason is a number", answer("true", "[1]", "{}")),
                argumentSet("a reason is blank", answer("true", "[\" \"]", "{}")),
                argumentSet("a reason is endless", answer("true", "[\"" + "x".repeat(2000) + "\"]", "{}")),
                argumentSet("a denial without a reason", answer("false", "[]", "{}")),
                argumentSet("obligations are missing", result("{\"allow\":true,\"reasons\":[]}")),
                argumentSet("obligations are null", answer("true", "[]", "null")),
                argumentSet("obligations are a list", answer("true", "[]", "[]")),
                argumentSet("an unknown obligation", obliged("\"watermark\":true")),
                argumentSet("an obligation comes twice", obliged("\"network\":false,\"network\":false")),
                argumentSet("a timeout of zero", obliged("\"timeout_ms\":0")),
                argumentSet("a negative timeout", obliged("\"timeout_ms\":-1")),
                argumentSet("a timeout that is a text", obliged("\"timeout_ms\":\"1000\"")),
                argumentSet("a timeout with a fraction", obliged("\"timeout_ms\":1000.5")),
                argumentSet("a timeout written as 1e3", obliged("\"timeout_ms\":1e3")),
                argumentSet("a timeout beyond every number", obliged("\"timeout_ms\":99999999999999999999")),
                argumentSet("a timeout that is NaN", obliged("\"timeout_ms\":NaN")),
                argumentSet("a timeout that is Infinity", obliged("\"timeout_ms\":Infinity")),
                argumentSet("a timeout of null", obliged("\"timeout_ms\":null")),
                argumentSet("memory that is true", obliged("\"max_memory_mb\":true")),
                argumentSet("network that is a text", obliged("\"network\":\"yes\"")),
                argumentSet("network of null", obliged("\"network\":null")),
                argumentSet("network that names no host", obliged("\"network\":true")),
                argumentSet("network with no member", obliged("\"network\":{}")),
                argumentSet("network with an empty list", hosts("")),
                argumentSet("network with hosts that are a text", obliged("\"network\":{\"hosts\":\"a.example:443\"}")),
                argumentSet(
                        "network with another member",
                        obliged("\"network\":{\"hosts\":[\"a.example:443\"],\"all\":true}")),
                argumentSet("a host without a port", hosts("\"a.example\"")),
                argumentSet("a host with port 0", hosts("\"a.example:0\"")),
                argumentSet("a host with port 65536", hosts("\"a.example:65536\"")),
                argumentSet("a host with a port of another script", hosts("\"a.example:٤٤٣\"")),
                argumentSet("a host with a wildcard", hosts("\"*.example:443\"")),
                argumentSet("a host in capitals", hosts("\"A.example:443\"")),
                argumentSet("a host that ends with a dot", hosts("\"a.example.:443\"")),
                argumentSet("a host of another script", hosts("\"ä.example:443\"")),
                argumentSet("an address for a host", hosts("\"192.0.2.1:443\"")),
                argumentSet("a short address for a host", hosts("\"127.1:443\"")),
                argumentSet("a decimal address for a host", hosts("\"2130706433:443\"")),
                argumentSet("a hexadecimal address for a host", hosts("\"0x7f000001:443\"")),
                argumentSet("an address of version 6 for a host", hosts("\"[::1]:443\"")),
                argumentSet("a URL for a host", hosts("\"https://a.example:443\"")),
                argumentSet("a host with a user", hosts("\"u@a.example:443\"")),
                argumentSet("65 hosts", hosts("\"a.example:443\"" + ",\"a.example:443\"".repeat(64))),
                argumentSet("subprocess that is a text", obliged("\"subprocess\":\"true\"")),
                argumentSet("an approval that is an object", obliged("\"require_approval\":{\"by\":\"ada\"}")),
                argumentSet("redact that is a text", obliged("\"redact\":\"/a\"")),
                argumentSet("redact with a path that is no pointer", obliged("\"redact\":[\"$.a\"]")),
                argumentSet("redact with a number", obliged("\"redact\":[1]")),
                argumentSet("an unknown log level", obliged("\"log_level\":\"verbose\"")),
                argumentSet("a retry that is a number", obliged("\"retry\":3")),
                argumentSet("a retry that does not say how often", obliged("\"retry\":{\"backoff_ms\":200}")),
                argumentSet("a retry of no attempt", obliged("\"retry\":{\"max_attempts\":0}")),
                argumentSet("a retry of 21 attempts", obliged("\"retry\":{\"max_attempts\":21}")),
                argumentSet("a retry at once", obliged("\"retry\":{\"max_attempts\":2,\"backoff_ms\":1}")),
                argumentSet("a retry after days", obliged("\"retry\":{\"max_attempts\":2,\"backoff_ms\":86400000}")),
                argumentSet(
                        "a retry that waits longer than it may",
                        obliged("\"retry\":{\"max_attempts\":2,\"backoff_ms\":900,\"backoff_max_ms\":800}")),
                argumentSet("a retry with another member", obliged("\"retry\":{\"max_attempts\":2,\"always\":1}")),
                argumentSet("a denial with an unknown obligation", answer("false", "[\"r\"]", "{\"x\":1}")),
                argumentSet("a second value behind the answer", answer("true", "[]", "{}") + " true"),
                argumentSet("an answer that was cut", answer("true", "[]", "{}").substring(0, 30)),
                argumentSet("a comment in the answer", "/* yes */" + answer("true", "[]", "{}")),
                argumentSet("single quotes", answer("true", "[]", "{}").replace('"', '\'')),
                argumentSet("a comma too many", "[{\"result\":" + decision("true") + "},]"),
                argumentSet("deep nesting", "[".repeat(5000)),
                argumentSet("an endless answer", answer("true", "[" + "\"r\",".repeat(20_000) + "\"r\"]", "{}")));
    }

    private static String result(String result) {
        return "[{\"result\":" + result + "}]";
    }

    private static String decision(String allow) {
        return "{\"allow\":" + allow + ",\"reasons\":[\"r\"],\"obligations\":{}}";
    }

    private static String answer(String allow, String reasons, String obligations) {
        return result("{\"allow\":" + allow + ",\"reasons\":" + reasons + ",\"obligations\":" + obligations + "}");
    }

    private static String hosts(String hosts) {
        return obliged("\"network\":{\"hosts\":[" + hosts + "]}");
    }

    private static String obliged(String obligations) {
        return answer("true", "[]", "{" + obligations + "}");
    }
}
