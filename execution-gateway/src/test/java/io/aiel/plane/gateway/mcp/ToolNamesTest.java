package io.aiel.plane.gateway.mcp;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.aiel.plane.vocabulary.CapabilityRef;
import io.aiel.plane.vocabulary.Digest;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Names of tools: within the protocol's letters, of one tool each, and independent of what else there is. */
class ToolNamesTest {
    private static final String ALLOWED = "[0-9A-Za-z_.-]{1,128}";

    private static Capability capability(CapabilityKind kind, String name, Optional<String> server) {
        return new Capability(
                new CapabilityRef(kind, name),
                "",
                "1.0",
                List.of(),
                Optional.empty(),
                Optional.empty(),
                List.of(),
                List.of(),
                Digest.of(name),
                Optional.empty(),
                Optional.empty(),
                server,
                "entry_point.py",
                1);
    }

    private static Capability ofServer(String server, String tool) {
        return capability(CapabilityKind.MCP, server + "/" + tool, Optional.of(server));
    }

    private static Capability plain(String name) {
        return capability(CapabilityKind.TOOL, name, Optional.empty());
    }

    @Test
    void areTheAuthorsOwnWhereTheyCanBe() {
        assertThat(ToolNames.atServer(ofServer("desk", "count_words"))).isEqualTo("count_words");
        assertThat(ToolNames.atServer(ofServer("desk", "a.b"))).isEqualTo("a.b");
        assertThat(ToolNames.atProject(ofServer("desk", "count_words"))).isEqualTo("desk.count_words");
        assertThat(ToolNames.atProject(plain("add"))).isEqualTo("add");
        assertThat(ToolNames.ownName(ofServer("a/b", "c/d"))).isEqualTo("c/d");
    }

    @Test
    void areOfOneToolEachWhereADotCouldMeanTwo() {
        List<Capability> alike =
                List.of(ofServer("a", "b.c"), ofServer("a.b", "c"), plain("a.b.c"), plain("a b.c"), plain("a_b.c"));

        List<String> names = alike.stream().map(ToolNames::atProject).toList();

        assertThat(names).doesNotHaveDuplicates().allMatch(name -> name.matches(ALLOWED));
        assertThat(ToolNames.atProject(plain("a.b"))).isNotEqualTo(ToolNames.atProject(ofServer("a", "b")));
    }

    @Test
    void keepToTheProtocolsLettersAndLength() {
        for (String odd : List.of("größe", "two words", "a/b", "x".repeat(200), "a\nb")) {
            assertThat(ToolNames.atProject(plain(odd))).matches(ALLOWED);
            assertThat(ToolNames.atProject(ofServer("desk", odd))).matches(ALLOWED);
            assertThat(ToolNames.atServer(ofServer("desk", odd))).matches(ALLOWED);
        }
        assertThat(ToolNames.atProject(ofServer("s".repeat(100), "t".repeat(100))))
                .matches(ALLOWED);
    }
}
