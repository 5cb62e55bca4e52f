package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.node.ObjectNode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConnectorReaderTest {
    @Test
    void readsTheDescriptionsThatAreShipped() {
        assertThat(HttpConnectors.load()).containsOnlyKeys(HttpConnectors.PROVIDERS);
    }

    @Test
    void namesEverythingThatIsWrongAtOnce() {
        ObjectNode slack = HttpConnectors.description("slack").deepCopy();
        slack.put("surprise", 1);
        slack.put("health_check", "slack.nothing");
        slack.withObject("/http").withArray("auth").removeAll().addObject().put("bearer", "no_such_member");
        slack.withObject("/http").withObject("headers").put("Host", "x");
        ObjectNode post = slack.withObject("/actions").withObject("slack.post_message");
        post.put("effect", "perhaps");
        post.withObject("http").put("method", "CONNECT").put("path", "/chat/{credentials.bot_token}");
        post.withObject("http").withObject("body").put("token", "{credentials.bot_token}");

        ConnectorInvalid invalid = catchThrowableOfType(ConnectorInvalid.class, () -> ConnectorReader.read(slack));

        assertThat(invalid)
                .hasMessageContaining("/surprise: is not known")
                .hasMessageContaining("/health_check: slack.nothing is none")
                .hasMessageContaining("no_such_member is not among the credentials")
                .hasMessageContaining("/http/headers: Host")
                .hasMessageContaining("/effect: is read or write")
                .hasMessageContaining("CONNECT is none that is made here")
                .hasMessageContaining("path: there is no {credentials.bot_token}")
                .hasMessageContaining("body/token: there is no {credentials.bot_token}");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\'',
            value = {
                "{\"status\":[99],\"fails\":true}                                                | is a status",
                "{\"status\":[[500,400]],\"fails\":true}                                         | is a status",
                "{\"status\":[400]}                                                              | means one of",
                "{\"status\":[400],\"fails\":true,\"result\":{}}                                 | means one of",
                "{\"at\":\"/error\",\"fails\":true}                                              | goes with in, equals or matches",
                "{\"at\":\"error\",\"equals\":1,\"fails\":true}                                  | is no JSON pointer",
                "{\"at\":\"/e\",\"matches\":\"(\",\"fails\":true}                                | matches",
                "{\"refuse\":{\"code\":\"x\",\"status\":503,\"hint\":\"h\"}}                     | none of those that callers know",
                "{\"result\":{\"$nothing\":1}}                                                   | is no function",
                "{\"result\":\"{response\"}                                                      | is not a name"
            })
    void refusesARuleThatIsNone(String rule, String problem) {
        ObjectNode slack = HttpConnectors.description("slack").deepCopy();
        slack.withObject("/http").withArray("answers").add(Calls.object(rule));

        assertThat(catchThrowableOfType(ConnectorInvalid.class, () -> ConnectorReader.read(slack)))
                .hasMessageContaining(problem);
    }
}
