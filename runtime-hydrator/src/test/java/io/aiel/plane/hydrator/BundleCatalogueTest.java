package io.aiel.plane.hydrator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.hydrator.BundleCatalogue.Bundle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The bundles of a data folder, installed for real, and what workers find in them. */
class BundleCatalogueTest {
    private static final String NAME = "of-a-test";
    private static final String AGENT = """
            import sys
            at_once = "langgraph.graph" in sys.modules
            from typing import TypedDict
            from aiel_sdk import tool
            from langgraph.graph import END, START, StateGraph
            from langchain_core.prompts import ChatPromptTemplate

            class State(TypedDict):
                text: str

            @tool("shout")
            def shout(ctx, event):
                graph = StateGraph(State)
                graph.add_node("louder", lambda state: {"text": state["text"].upper()})
                graph.add_edge(START, "louder")
                graph.add_edge("louder", END)
                prompt = ChatPromptTemplate.from_messages([("human", "{text}")]).format_messages(text=event["text"])
                return {"text": graph.compile().invoke({"text": prompt[0].content})["text"], "at_once": at_once}
            """;

    @TempDir
    Path folder;

    private final List<String> progress = new ArrayList<>();

    @AfterEach
    void forget() throws Exception {
        if (new BundleLocks(Plane.DATA).has(NAME)) {
            catalogue().remove(NAME);
        }
        catalogue().collect();
    }

    @Test
    void offersWhatAnOperatorAddedToTheServersOnItsFolder() throws Exception {
        Bundle added = catalogue().add(NAME, lock(), List.of("extra"));

        assertThat(added.installed()).isTrue();
        assertThat(progress).anyMatch(line -> line.startsWith("Installing worker bundle '" + NAME + "'"));
        assertThat(catalogue().list()).extracting(Bundle::name).containsExactly("ai", "minimal", NAME);
        try (Plane plane = Plane.start(Plane.settings())) {
            assertThat(plane.hydrator().bundles()).contains(NAME, "ai", "minimal");
            Map<String, String> files = Map.of("entry_point.py", """
                    import extra
                    from aiel_sdk import tool

                    @tool("answer")
                    def answer(ctx, event):
                        return extra.ANSWER
                    """, "requirements.txt", "extra==1.0\n");
            SnapshotFiles with = plane.snapshots().add(NAME, files);
            SnapshotFiles without = plane.snapshots().add("minimal", files);

            assertThat(Plane.result(plane.call(with, "answer", "{}")).asInt()).isEqualTo(42);
            assertThat(plane.hydrator().describe(without).toCompletableFuture().get(30, TimeUnit.SECONDS))
                    .isInstanceOfSatisfying(
                            DescribeReport.Rejected.class,
                            rejected -> assertThat(rejected.findings())
                                    .extracting(DescribeReport.Finding::code, DescribeReport.Finding::message)
                                    .contains(org.assertj.core.groups.Tuple.tuple(
                                            "REQUIREMENT_UNSATISFIED", "extra is not in the worker bundle")));
        }
    }

    /** Seen to fail: without the lock that {@code BundleUse} holds, the folder goes while the server has its workers in it. */
    @Test
    void deletesABundleOnceNothingNamesItAndNoServerUsesIt() throws Exception {
        Bundle added = catalogue().add(NAME, lock(), List.of());
        try (Plane plane = Plane.start(Plane.settings())) {
            SnapshotFiles files = plane.snapshots().add(NAME, Map.of("entry_point.py", "import extra\n"));
            assertThat(plane.hydrator().describe(files).toCompletableFuture().get(60, TimeUnit.SECONDS))
                    .isInstanceOf(DescribeReport.Loaded.class);

            assertThat(catalogue().collect()).doesNotContain(added.folder());
            catalogue().remove(NAME);
            assertThat(catalogue().collect()).doesNotContain(added.folder());
            assertThat(progress)
                    .anyMatch(line -> line.contains(added.folder().getFileName() + ": a running server uses it"));
            assertThat(added.folder()).isDirectory();
        }

        assertThat(catalogue().collect()).contains(added.folder());
        assertThat(added.folder()).doesNotExist();
        assertThat(catalogue().install("minimal").folder()).isDirectory();
    }

    @Test
    void aNameMeansOneLockFileForGood() throws Exception {
        byte[] lock = lock();
        catalogue().add(NAME, lock, List.of());
        assertThat(catalogue().add(NAME, lock, List.of()).installed()).isTrue();
        byte[] other = (new String(lock, StandardCharsets.UTF_8) + "\n# another\n").getBytes(StandardCharsets.UTF_8);

        assertThat(refusal(NAME, other, List.of())).contains("is taken by another lock file");
        assertThat(refusal("ai", lock, List.of())).contains("is taken by a bundle of this build");
        assertThat(refusal("Not A Name", lock, List.of())).contains("lower-case letters");
        assertThat(refusal("../out", lock, List.of())).contains("lower-case letters");
        assertThat(refusal("fresh", lock, List.of("os; import x"))).contains("is not the name of a Python module");
        assertThat(refusal("fresh", "# nothing\n".getBytes(StandardCharsets.UTF_8), List.of()))
                .contains("names no package");
    }

    @Test
    void keepsNothingOfABundleThatCannotServe() throws Exception {
        byte[] alone =
                new Wheel("extra").file("extra/__init__.py", "").lock(folder).getBytes(StandardCharsets.UTF_8);

        assertThat(refusal(NAME, alone, List.of())).contains("aiel_sdk");
        assertThat(refusal(NAME, lock(), List.of("not_there"))).contains("not_there");
        assertThat(refusal(NAME, "packaging==25.0\n".getBytes(StandardCharsets.UTF_8), List.of()))
                .containsIgnoringCase("hash");
        assertThat(catalogue().list()).extracting(Bundle::name).doesNotContain(NAME);
        assertThat(Trees.children(Plane.DATA.resolve("bundles")))
                .noneMatch(path -> path.getFileName().toString().startsWith(NAME));
    }

    /** Seen to fail: without the imports of the bundle, {@code at_once} is false. */
    @Test
    void installsTheBundleAiWhenItIsFirstNeededAndHasItsPackagesInMemory() throws Exception {
        try (Plane plane = Plane.start(Plane.settings())) {
            plane.hydrator().prepare("ai");
            SnapshotFiles agent = plane.snapshots()
                    .add("ai", Map.of("entry_point.py", AGENT, "requirements.txt", "langgraph>=1\nlangchain-core\n"));
            assertThat(Plane.soon(180, () -> described(plane, agent))).isTrue();

            JsonNode result = Plane.result(plane.call(agent, "shout", "{\"text\":\"help\"}"));

            assertThat(result.path("text").asText()).isEqualTo("HELP");
            assertThat(result.path("at_once").asBoolean())
                    .as("imported by the zygote")
                    .isTrue();
            assertThat(plane.hydrator().status().ready()).isTrue();
        }
    }

    @Test
    void aBundleThatIsNotThereIsNoTroubleOfTheOthers() throws Exception {
        try (Plane plane = Plane.start(Plane.settings())) {
            SnapshotFiles files = plane.snapshots().add("nowhere", Map.of("entry_point.py", ""));

            assertThat(plane.hydrator().describe(files).toCompletableFuture().get(30, TimeUnit.SECONDS))
                    .isInstanceOfSatisfying(
                            DescribeReport.Unavailable.class,
                            report -> assertThat(report.detail()).contains("no worker bundle named nowhere"));
            assertThat(plane.hydrator().status().ready()).isTrue();
        }
    }

    /** Seen to fail: when the lock of a try that failed is kept, until the server ends nobody can delete what another try leaves. */
    @Test
    void letsGoOfABundleThatCannotBeInstalled() throws Exception {
        new BundleLocks(Plane.DATA).keep(new BundleLock(NAME, "packaging==25.0\n", List.of(), false));
        try (Plane plane = Plane.start(Plane.settings())) {
            SnapshotFiles files = plane.snapshots().add(NAME, Map.of("entry_point.py", ""));

            DescribeReport report =
                    plane.hydrator().describe(files).toCompletableFuture().get(60, TimeUnit.SECONDS);

            assertThat(report)
                    .isInstanceOfSatisfying(
                            DescribeReport.Unavailable.class,
                            unavailable -> assertThat(unavailable.detail()).containsIgnoringCase("hash"));
            Path place = catalogue().list().stream()
                    .filter(bundle -> bundle.name().equals(NAME))
                    .map(Bundle::folder)
                    .findFirst()
                    .orElseThrow();
            try (BundleUse alone = BundleUse.alone(place).orElseThrow()) {
                assertThat(alone).isNotNull();
            }
        }
    }

    private static boolean described(Plane plane, SnapshotFiles files) {
        try {
            return plane.hydrator().describe(files).toCompletableFuture().get(60, TimeUnit.SECONDS)
                    instanceof DescribeReport.Loaded;
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private String refusal(String name, byte[] lock, List<String> imports) {
        HydratorFailure failure =
                catchThrowableOfType(HydratorFailure.class, () -> catalogue().add(name, lock, imports));
        return failure == null ? "accepted" : String.valueOf(failure.getMessage());
    }

    /** What "minimal" holds, and a package more. */
    private byte[] lock() throws Exception {
        String extra =
                new Wheel("extra").file("extra/__init__.py", "ANSWER = 42\n").lock(folder);
        return (ShippedFiles.text("bundles/minimal/requirements.lock") + "\n" + extra + "\n")
                .getBytes(StandardCharsets.UTF_8);
    }

    private BundleCatalogue catalogue() throws HydratorFailure {
        return BundleCatalogue.of(Plane.DATA, Optional.empty(), Duration.ofMinutes(3), progress::add);
    }
}
