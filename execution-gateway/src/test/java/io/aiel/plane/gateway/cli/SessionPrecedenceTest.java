package io.aiel.plane.gateway.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** On a folder that looks like {@code /proc/self}. That a real server does it is shown by {@code OverloadTest}. */
class SessionPrecedenceTest {
    @TempDir
    private Path self;

    private Path autogroup;

    @BeforeEach
    void isAProcess() throws IOException {
        autogroup = self.resolve("autogroup");
        Files.writeString(autogroup, "");
    }

    @ParameterizedTest
    @ValueSource(strings = {"java", "a b", "a) S 1 2 3 (b", "\n", "\u00ff"})
    void isTakenByTheLeaderOfASessionWhateverItIsCalled(String name) throws IOException {
        stat("4711 (" + name + ") S 1 4711 4711 0 -1 4194304 1 2 3");

        assertThat(SessionPrecedence.take(self)).isTrue();
        assertThat(autogroup).hasContent("-5");
    }

    /** Seen failing when only the process group is compared. */
    @Test
    void isNotTakenForTheOthersInASession() throws IOException {
        stat("4711 (java) S 1 4711 4700 34816 4711 4194304 1 2 3");

        assertThat(SessionPrecedence.take(self)).isFalse();
        assertThat(autogroup).isEmptyFile();
    }

    @Test
    void isNotTakenWhereThereAreNoAutogroups() throws IOException {
        stat("4711 (java) S 1 4711 4711 0 -1 4194304 1 2 3");
        Files.delete(autogroup);

        assertThat(SessionPrecedence.take(self)).isFalse();
        assertThat(autogroup).doesNotExist();
    }

    @Test
    void isNotTakenWhereItMayNotBeSet() throws IOException {
        stat("4711 (java) S 1 4711 4711 0 -1 4194304 1 2 3");
        Files.delete(autogroup);
        Files.createDirectory(autogroup);

        assertThat(SessionPrecedence.take(self)).isFalse();
    }

    @Test
    void isNotTakenWhereNothingIsKnownOfTheProcess() throws IOException {
        assertThat(SessionPrecedence.take(self)).isFalse();
        stat("");
        assertThat(SessionPrecedence.take(self)).isFalse();
        assertThat(autogroup).isEmptyFile();
    }

    private void stat(String text) throws IOException {
        Files.writeString(self.resolve("stat"), text, StandardCharsets.ISO_8859_1);
    }
}
