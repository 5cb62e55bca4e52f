package io.aiel.plane.audit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aiel.plane.vocabulary.Usage;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class UsageSummaryTest {
    private static final String MESSAGE =
            "{\"execution\":\"exec_5\",\"tenant\":\"ten_1\",\"workspace\":\"\",\"project\":\"\","
                    + "\"status\":\"succeeded\",\"time\":\"2026-03-04T05:06:07Z\",\"more\":{\"usage\":1},"
                    + "\"usage\":{\"cpu_ms\":1,\"wall_ms\":-2,\"max_rss_bytes\":3}}";

    @Test
    void tellsOfARecordWhatTheRecordTells() {
        AuditRecord record = new AuditCodec(AuditEvents.CLOCK)
                .encode(AuditEvents.CONTEXT, AuditEvents.finished(), StreamPosition.startOf(AuditEvents.EXECUTION));

        UsageSummary summary = UsageSummary.ofFinished(record.canonical());

        assertThat(summary)
                .isEqualTo(new UsageSummary(
                        AuditEvents.EXECUTION.value(),
                        AuditEvents.TENANT.value(),
                        AuditEvents.SCOPE.workspace().value(),
                        AuditEvents.SCOPE.project().value(),
                        "succeeded",
                        AuditEvents.CLOCK.instant(),
                        new Usage(12, 34, 56_000_000)));
        assertThat(UsageSummary.parse(bytes(summary.toJson()))).isEqualTo(summary);
    }

    /** As an earlier version wrote it, and with what a later one may add. */
    @Test
    void readsOtherOrdersAndTimesOfOtherWidths() {
        UsageSummary summary = UsageSummary.parse(bytes(MESSAGE));

        assertThat(summary.time()).isEqualTo(Instant.parse("2026-03-04T05:06:07Z"));
        assertThat(summary.usage()).isEqualTo(new Usage(1, 0, 3));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "[]",
                "{}",
                "{",
                "1",
                "not json",
            })
    void refusesWhatIsNoSummary(String message) {
        assertThatThrownBy(() -> UsageSummary.parse(bytes(message))).isInstanceOf(IllegalArgumentException.class);
    }

    /** Columns hold no more, or not many of them. Seen failing with the checks taken out. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"time\":\"+999999999-03-04T05:06:07Z\"",
                "\"time\":\"-200000-03-04T05:06:07Z\"",
                "\"cpu_ms\":9223372036854775807",
                "\"cpu_ms\":1000000000001",
                "\"wall_ms\":1000000000001",
                "\"max_rss_bytes\":9223372036854775807",
            })
    void refusesTimesAndNumbersOutOfRange(String member) {
        String name = member.substring(0, member.indexOf(':'));
        String changed = MESSAGE.replaceAll(name + ":(\"[^\"]*\"|-?[0-9]+)", member);
        assertThat(changed).isNotEqualTo(MESSAGE);

        assertThatThrownBy(() -> UsageSummary.parse(bytes(changed))).hasMessageContaining("out of range");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "execution\":\"",
                "execution\":\"A",
                "tenant\":\"é",
                "workspace\":\" ",
                "status\":\"\\u0000",
                "project\":\"0123456789012345678901234567890123456789012345678901234567890123456789",
                "time\":\"x",
            })
    void refusesMalformedMembers(String begin) {
        String name = begin.substring(0, begin.indexOf('"'));
        String changed = MESSAGE.replaceAll("\"" + name + "\":\"[^\"]*", "\"" + begin.replace("\\", "\\\\"));
        assertThat(changed).isNotEqualTo(MESSAGE);

        assertThatThrownBy(() -> UsageSummary.parse(bytes(changed))).isInstanceOf(IllegalArgumentException.class);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
