package io.aiel.plane.gateway.app;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import java.util.logging.ConsoleHandler;
import java.util.logging.Formatter;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.SimpleFormatter;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** One record is one line, whatever is in it, and nothing of it is lost. */
class OneLineFormatterTest {
    static Stream<Arguments> hostile() {
        return Stream.of(
                argumentSet("line feed", "a\nERROR forged", "a\\nERROR forged"),
                argumentSet("carriage return", "a\r\nb", "a\\r\\nb"),
                argumentSet("escape sequence", "\u001b[2Jb", "\\u001b[2Jb"),
                argumentSet("one-character CSI", "\u009b31mb", "\\u009b31mb"),
                argumentSet("NUL", "a\0b", "a\\u0000b"),
                argumentSet("next line", "a\u0085b", "a\\u0085b"),
                argumentSet("line separator", "a\u2028b", "a\\u2028b"),
                argumentSet("paragraph separator", "a\u2029b", "a\\u2029b"),
                argumentSet("right-to-left override", "a\u202eb", "a\\u202eb"),
                argumentSet("isolate", "a\u2066b\u2069", "a\\u2066b\\u2069"),
                argumentSet("Arabic letter mark", "a\u061cb", "a\\u061cb"),
                argumentSet("zero width space", "a\u200bb", "a\\u200bb"),
                argumentSet("byte order mark", "\ufeffb", "\\ufeffb"),
                argumentSet("high surrogate alone", "a\ud800b", "a\\ud800b"),
                argumentSet("low surrogate alone", "a\udc00b", "a\\udc00b"),
                argumentSet("high surrogate at the end", "a\ud800", "a\\ud800"),
                argumentSet("what looks like an escape", "a\\nb", "a\\\\nb"),
                argumentSet("ordinary text", "größer als 2 → 😀", "größer als 2 → 😀"));
    }

    @ParameterizedTest
    @MethodSource("hostile")
    void escapesWhatMisleads(String text, String line) {
        assertThat(OneLineFormatter.oneLine(text)).isEqualTo(line);
    }

    @Test
    void writesARecordWithAStackTraceInOneLine() {
        LogRecord logged = new LogRecord(Level.SEVERE, "request failed\nERROR forged");
        logged.setThrown(new IllegalStateException("first\nsecond", new IllegalArgumentException("cause\u2028")));

        String line = new OneLineFormatter(new SimpleFormatter()).format(logged);

        assertThat(line).endsWith("\n");
        assertThat(line.strip().lines()).hasSize(1);
        assertThat(line)
                .contains("request failed\\nERROR forged", "first\\nsecond", "Caused by", "cause\\u2028", "\\tat ");
    }

    @Test
    void cutsTokensAndSignatures() {
        assertThat(OneLineFormatter.redacted("HTTP Request to /aielp_usr_0123456789abcdefghijklmnopqrstABCDEF failed"))
                .isEqualTo("HTTP Request to /aielp_usr_[redacted] failed");
        assertThat(OneLineFormatter.redacted(
                        "/v1/signed/blobs/ab?path=x&expires=1&signature=0123456789abcdef01 failed"))
                .isEqualTo("/v1/signed/blobs/ab?path=x&expires=1&signature=[redacted] failed");
    }

    @Test
    void boundsARecord() {
        String line = OneLineFormatter.oneLine("x".repeat(OneLineFormatter.CHARACTERS_MAX + 10));

        assertThat(line).hasSizeLessThan(OneLineFormatter.CHARACTERS_MAX + 40).endsWith("(10 more characters)");
    }

    @Test
    void cutsNoCharacterInTwo() {
        String line = OneLineFormatter.oneLine("x".repeat(OneLineFormatter.CHARACTERS_MAX - 1) + "😀");

        assertThat(line).endsWith("x… (2 more characters)").doesNotContain("\\u");
    }

    @Test
    void wrapsAHandlersFormatterOnce() {
        ConsoleHandler handler = new ConsoleHandler();

        OneLineFormatter.use(handler);
        Formatter first = handler.getFormatter();
        OneLineFormatter.use(handler);

        assertThat(first).isInstanceOf(OneLineFormatter.class);
        assertThat(handler.getFormatter()).isSameAs(first);
    }
}
