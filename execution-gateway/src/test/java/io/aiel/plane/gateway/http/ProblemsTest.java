package io.aiel.plane.gateway.http;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.vocabulary.ErrorCode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class ProblemsTest {
    private static final Path PAGES = Path.of("..", "docs", "errors");
    /** What the published SDK tries again up to four times. */
    private static final Set<Integer> RETRIED = Set.of(408, 429, 500, 502, 503, 504);

    @ParameterizedTest
    @CsvSource({
        "VALIDATION_ERROR,   400",
        "SECURITY_VIOLATION, 403",
        "NOT_FOUND,          404",
        "USER_CODE_ERROR,    500",
        "INTERNAL,           500",
        "TIMEOUT,            504",
    })
    void givesTheStatusesOfTheWireContract(ErrorCode code, int status) {
        assertThat(Problems.status(code)).isEqualTo(status);
    }

    @ParameterizedTest
    @EnumSource(
            names = {
                "UNAUTHENTICATED",
                "PERMISSION_DENIED",
                "POLICY_DENIED",
                "APPROVAL_REQUIRED",
                "VALIDATION_ERROR",
                "MALFORMED_REQUEST",
                "CONFLICT",
                "VERSION_CONFLICT",
                "ALREADY_EXISTS",
                "NO_DEPLOYMENT",
                "OUTPUT_INVALID",
                "SNAPSHOT_REJECTED",
                "NOT_FOUND",
                "CHECKPOINT_NOT_FOUND",
                "QUOTA_EXCEEDED"
            })
    void givesNoStatusThatClientsTryAgainToWhatStaysWrong(ErrorCode code) {
        assertThat(RETRIED).doesNotContain(Problems.status(code));
    }

    @ParameterizedTest
    @EnumSource
    void writesADocumentThatBothKindsOfClientUnderstand(ErrorCode code) throws IOException {
        JsonNode document = new ObjectMapper()
                .readTree(Problems.document(code, "what happened", Map.of("errors", List.of(Map.of("pointer", "/a")))));

        assertThat(document.path("type").asText()).isEqualTo("urn:aiel:plane:error:" + code);
        assertThat(document.path("title").asText()).isEqualTo(code.title());
        assertThat(document.path("status").asInt()).isEqualTo(Problems.status(code));
        assertThat(document.path("detail").asText()).isEqualTo("what happened");
        assertThat(document.path("code").asText()).isEqualTo(code.name());
        assertThat(document.path("error").path("code").asText())
                .isEqualTo(code == ErrorCode.CHECKPOINT_NOT_FOUND ? "checkpoint_not_found" : code.name());
        assertThat(document.path("error").path("message").asText()).isEqualTo("what happened");
        assertThat(document.path("error").path("details").path("errors")).hasSize(1);
        assertThat(document.has("ok"))
                .as("ok belongs to the execution envelope alone")
                .isFalse();
    }

    /** Seen to fail with a page that belongs to no code. */
    @Test
    void hasAPageForEachCodeAndACodeForEachPage() throws IOException {
        try (Stream<Path> pages = Files.list(PAGES)) {
            Set<String> found = pages.map(page -> page.getFileName().toString())
                    .filter(name -> !name.equals("README.md"))
                    .collect(Collectors.toSet());

            assertThat(found)
                    .isEqualTo(Arrays.stream(ErrorCode.values())
                            .map(code -> code + ".md")
                            .collect(Collectors.toSet()));
        }
    }

    @ParameterizedTest
    @EnumSource
    void saysOnEachPageWhatTheCodeAnswersToday(ErrorCode code) throws IOException {
        assertThat(Files.readString(PAGES.resolve(code + ".md")))
                .startsWith("# " + code + "\n")
                .contains(
                        code.title() + ". HTTP status " + Problems.status(code) + ", type `" + Problems.type(code)
                                + "`.",
                        "## What it means",
                        "## Likely causes",
                        "## What to do");
    }

    @Test
    void keepsASaneRequestIdAndReplacesAnyOther() {
        assertThat(RequestIds.choose("abc-1:2/3")).isEqualTo("abc-1:2/3");
        assertThat(RequestIds.choose(null)).startsWith("req_");
        assertThat(RequestIds.choose("")).startsWith("req_");
        assertThat(RequestIds.choose("a\nb")).startsWith("req_");
        assertThat(RequestIds.choose("a b")).startsWith("req_");
        assertThat(RequestIds.choose("x".repeat(129))).startsWith("req_");
    }
}
