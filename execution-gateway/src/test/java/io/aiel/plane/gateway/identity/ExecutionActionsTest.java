package io.aiel.plane.gateway.identity;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** What the code of an execution may do is said twice: in the policy, and where calls are answered that decide for themselves later. */
class ExecutionActionsTest {
    private static final Path POLICY = Path.of("../policy-engine/src/main/rego/principal.rego");

    /** Seen to fail: with an action left out. */
    @Test
    void areThoseOfTheDefaultPolicyAndTheOneThatThePolicyIsNotAskedAbout() throws IOException {
        Matcher list = Pattern.compile(
                        "input\\.principal\\.kind == \"execution\"\\s+not input\\.action in \\[([^\\]]*)\\]")
                .matcher(Files.readString(POLICY));
        assertThat(list.find()).as("the rule about executions").isTrue();
        Set<String> wanted = new HashSet<>(Set.of("auth.me"));
        Matcher action = Pattern.compile("\"([a-z.]+)\"").matcher(list.group(1));
        while (action.find()) {
            wanted.add(action.group(1));
        }

        assertThat(ExecutionTokens.ACTIONS).isEqualTo(wanted);
    }
}
