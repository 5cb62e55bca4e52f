package io.aiel.plane.docs;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.gateway.http.Problems;
import io.aiel.plane.vocabulary.ErrorCode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What can be said about the pages without a server. */
class DocumentationTest {
    private static final Path DOCS = PackagedPlane.repository().resolve("docs");
    /** The samples that start or install what the samples of their page need, by the first of their lines; and who does what they say. */
    private static final List<String> RUN_ELSEWHERE = List.of(
            // The build that this is part of.
            "CONTRIBUTING.md: ./mvnw spotless:apply",
            "README.md: ./plane test",
            // PackagedPlane, before all others.
            "README.md: ./plane up",
            "docs/start.md: ./plane up",
            // PublishedClients, with the versions and hashes of a lock file.
            "docs/start.md: python3 -m venv ~/aiel && ~/aiel/bin/pip install aiel-cli",
            // CallbacksTest, on callbacks that were sent: WebhookVerifier takes it from the page.
            "docs/callbacks.md: from standardwebhooks.webhooks import Webhook",
            // The page itself, which pushes it.
            "docs/streaming.md: from aiel_sdk import tool",
            // SupportAgentTest and BundleCommandTest, with connections and bundles of their own.
            "docs/integrations.md: ./plane connection create --workspace demo --project hello --provider postgres --name Shop"
                    + " --settings settings.json \\",
            "docs/reference/workers.md: uv pip compile --universal --python-version 3.11 --generate-hashes requirements.in"
                    + " -o requirements.lock",
            // Half an hour; that the bench works is what BenchHarnessTest says.
            "docs/performance.md: ./plane bench");

    @Test
    void hasNoLinkThatLeadsNowhere() {
        assertThat(Pages.all().stream().flatMap(page -> Pages.brokenLinks(page, Pages.text(page)).stream()))
                .isEmpty();
    }

    @Test
    void noticesALinkThatLeadsNowhere() {
        Path page = DOCS.resolve("README.md");

        assertThat(Pages.brokenLinks(page, "# A\n[a](nowhere.md) [b](#a) [c](#b) [d](README.md#not-there)"))
                .hasSize(3);
    }

    @Test
    void isReachableFromItsIndex() throws IOException {
        Set<Path> seen = new TreeSet<>();
        follow(DOCS.resolve("README.md"), seen);

        try (Stream<Path> files = Files.walk(DOCS)) {
            assertThat(files.filter(file -> file.toString().endsWith(".md")))
                    .allSatisfy(page -> assertThat(seen)
                            .as("pages that can be found from docs/README.md")
                            .contains(page));
        }
    }

    private static void follow(Path page, Set<Path> seen) {
        if (!page.toString().endsWith(".md") || !Files.exists(page) || !seen.add(page)) {
            return;
        }
        Matcher link = Pattern.compile("\\]\\(([^)\\s#]+)").matcher(Pages.text(page));
        while (link.find()) {
            if (!link.group(1).contains(":")) {
                follow(page.resolveSibling(link.group(1)).normalize(), seen);
            }
        }
    }

    /** Both ways: a code without a page, and a page without a code. */
    @Test
    void hasAPageForEachErrorCode() throws IOException {
        Set<String> codes =
                Stream.of(ErrorCode.values()).map(Enum::name).collect(Collectors.toCollection(TreeSet::new));
        Set<String> pages;
        try (Stream<Path> files = Files.list(DOCS.resolve("errors"))) {
            pages = files.map(file -> file.getFileName().toString().replaceFirst("\\.md$", ""))
                    .filter(name -> !name.equals("README"))
                    .collect(Collectors.toCollection(TreeSet::new));
        }

        assertThat(pages).isEqualTo(codes);
    }

    @Test
    void givesEachErrorItsTitleAndStatus() {
        String index = Pages.text(DOCS.resolve("errors/README.md"));

        assertThat(ErrorCode.values()).allSatisfy(code -> {
            assertThat(Pages.text(DOCS.resolve("errors/" + code + ".md")))
                    .startsWith("# " + code + "\n\n" + code.title() + ".")
                    .contains("HTTP status " + Problems.status(code) + ", type `" + Problems.type(code) + "`");
            assertThat(index)
                    .contains("| [" + code + "](" + code + ".md) | " + Problems.status(code) + " | " + code.title());
        });
    }

    @Test
    void listsEachDecision() throws IOException {
        String index = Pages.text(DOCS.resolve("decisions/README.md"));

        try (Stream<Path> files = Files.list(DOCS.resolve("decisions"))) {
            assertThat(files.map(file -> file.getFileName().toString()).filter(name -> !name.equals("README.md")))
                    .allSatisfy(name -> assertThat(index).contains("(" + name + ")"));
        }
    }

    /** A new sample is marked for {@link RunningDocumentationTest}, or its reason is written down above. */
    @Test
    void hasNoOtherSampleThatItsPageDoesNotRun() {
        assertThat(Pages.all().stream()
                        .flatMap(page -> Pages.samples(page).stream())
                        .filter(sample ->
                                List.of("sh", "bash", "python", "rego", "http").contains(sample.language()))
                        .filter(sample -> sample.script().isEmpty() && !sample.isPushed())
                        .map(sample -> PackagedPlane.repository().relativize(sample.page()) + ": "
                                + sample.text().lines().findFirst().orElse("").replaceFirst("  .*", "")))
                .containsExactlyInAnyOrderElementsOf(RUN_ELSEWHERE);
    }

    @Test
    void showsJsonThatIsJson() {
        ObjectMapper json = new ObjectMapper();
        List<Pages.Sample> samples = Pages.all().stream()
                .flatMap(page -> Pages.samples(page).stream())
                .filter(sample -> sample.language().equals("json"))
                .toList();

        assertThat(samples).isNotEmpty().allSatisfy(sample -> {
            try {
                json.readTree(sample.text());
            } catch (JacksonException e) {
                throw new AssertionError(sample.page() + ": " + sample.text(), e);
            }
        });
    }
}
