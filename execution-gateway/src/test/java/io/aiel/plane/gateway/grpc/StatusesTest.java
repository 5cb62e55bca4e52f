package io.aiel.plane.gateway.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.vocabulary.ErrorCode;
import io.grpc.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class StatusesTest {
    /** Libraries try it again by themselves, which is only harmless when nothing can have run. */
    private static final Set<ErrorCode> NOTHING_RAN =
            EnumSet.of(ErrorCode.POLICY_UNAVAILABLE, ErrorCode.NOT_READY, ErrorCode.ADMISSION_UNAVAILABLE);

    @ParameterizedTest
    @EnumSource
    void saysUnavailableOnlyWhereNothingRan(ErrorCode code) {
        assertThat(Statuses.of(code) == Status.Code.UNAVAILABLE).isEqualTo(NOTHING_RAN.contains(code));
    }

    @ParameterizedTest
    @EnumSource
    void neverSaysThatAnErrorIsNone(ErrorCode code) {
        assertThat(Statuses.of(code)).isNotEqualTo(Status.Code.OK);
    }

    @Test
    void areThoseOfTheDocumentation() throws IOException {
        String page = Files.readString(Path.of("../docs/grpc.md"));

        assertThat(ErrorCode.values())
                .allSatisfy(code -> assertThat(page)
                        .containsPattern("(?m)^\\| `" + Statuses.of(code) + "` \\| .*`" + code + "`.*\\|$"));
    }
}
