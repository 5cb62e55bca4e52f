package io.aiel.plane.gateway.registry;

import io.aiel.plane.gateway.identity.ProjectSettings;
import io.aiel.plane.gateway.identity.Runtimes;
import io.aiel.plane.registry.snapshot.SnapshotFile;
import io.aiel.plane.registry.snapshot.SnapshotStore;
import io.aiel.plane.registry.snapshot.SnapshotValidator;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.quarkus.test.junit.QuarkusTestProfile;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.inject.Alternative;
import jakarta.inject.Singleton;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Judges a tree by the words in its {@code entry_point.py} instead of running it: {@code BROKEN} is rejected, {@code LATER} cannot be
 * validated the first time, each line {@code # tool: name} exports a tool, and what follows {@code # exports: } is reported as it is.
 */
@Alternative
@Singleton
class FakeValidator implements SnapshotValidator {
    static final String EXPORTS = "# exports: ";

    /** Uses the fake in the tests that name this profile, and in no other. */
    public static final class Profile implements QuarkusTestProfile {
        @Override
        public Set<Class<?>> getEnabledAlternatives() {
            return Set.of(FakeValidator.class);
        }
    }

    final AtomicInteger validations = new AtomicInteger();
    final Map<ProjectId, AtomicInteger> validationsOf = new ConcurrentHashMap<>();
    /** Validations of these projects begin when the future completes. */
    final Map<ProjectId, CompletableFuture<Void>> held = new ConcurrentHashMap<>();

    volatile boolean available = true;

    private final SnapshotStore store;
    private final ProjectSettings settings;

    FakeValidator(SnapshotStore store, ProjectSettings settings) {
        this.store = store;
        this.settings = settings;
    }

    @Override
    public Uni<String> bundle(ProjectScope scope) {
        return settings.runtimeNow(scope).map(runtime -> runtime.equals(Runtimes.DEFAULT) ? "fake" : runtime);
    }

    @Override
    public Uni<Validation> validate(Candidate candidate) {
        ProjectId project = candidate.scope().project();
        validations.incrementAndGet();
        validationsOf.computeIfAbsent(project, _ -> new AtomicInteger()).incrementAndGet();
        CompletableFuture<Void> released = held.getOrDefault(project, CompletableFuture.completedFuture(null));
        return Uni.createFrom().completionStage(released).chain(() -> verdict(candidate));
    }

    private Uni<Validation> verdict(Candidate candidate) {
        Optional<SnapshotFile> entry = candidate.files().stream()
                .filter(file -> file.path().equals("entry_point.py"))
                .findFirst();
        if (!available) {
            return Uni.createFrom().item(new Validation.Unavailable("the fake has no worker"));
        }
        if (entry.isEmpty()) {
            return Uni.createFrom()
                    .item(new Validation.Rejected(List.of(new Finding(
                            "NO_ENTRY_POINT", "there is no entry_point.py", Optional.empty(), Optional.empty()))));
        }
        return store.blob(entry.get().digest()).map(bytes -> judge(new String(bytes, StandardCharsets.UTF_8)));
    }

    private static Validation judge(String source) {
        if (source.contains("BROKEN")) {
            return new Validation.Rejected(List.of(
                    new Finding("IMPORT_FAILED", "it is broken", Optional.of("entry_point.py"), Optional.of(3))));
        }
        int exports = source.indexOf(EXPORTS);
        if (exports >= 0) {
            return new Validation.Valid("1.8.0", "0.5.3", new JsonText(source.substring(exports + EXPORTS.length())));
        }
        List<String> tools = source.lines()
                .filter(line -> line.startsWith("# tool: "))
                .map(line -> "{\"kind\":\"tool\",\"name\":\"" + line.substring(8)
                        + "\",\"description\":\"says hello\",\"tags\":[\"greeting\"],\"input_schema\":{\"type\":\"object\"},"
                        + "\"allowed_actions\":[\"postgres.query\"],\"file\":\"entry_point.py\",\"line\":1}")
                .toList();
        return new Validation.Valid("1.8.0", "0.5.3", new JsonText("[" + String.join(",", tools) + "]"));
    }
}
