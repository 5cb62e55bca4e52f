package io.aiel.plane.gateway.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HelpTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "up",
                "demo",
                "login",
                "doctor",
                "version",
                "token",
                "token create",
                "token revoke",
                "connection",
                "connection create",
                "connection list",
                "connection change",
                "connection credentials",
                "connection check",
                "connection delete",
                "connection providers"
            })
    void everyCommandExplainsItselfAndSucceeds(String command) {
        var out = new StringWriter();
        String[] arguments = (command + " --help").strip().split(" ", -1);

        int code = Main.commandLine().setOut(new PrintWriter(out)).execute(arguments);

        assertThat(code).isZero();
        assertThat(out.toString()).startsWith("Usage: plane " + command).contains("Shows this help.");
    }
}
