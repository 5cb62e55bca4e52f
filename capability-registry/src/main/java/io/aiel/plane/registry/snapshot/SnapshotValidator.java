package io.aiel.plane.registry.snapshot;

import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ProjectScope;
import io.smallrye.mutiny.Uni;
import java.util.List;
import java.util.Optional;

/**
 * Loads a tree in a sandbox and says whether it may be run. The application supplies it, because the registry does not know the
 * hydrator. Thread-safe; must not block the thread that calls it.
 */
public interface SnapshotValidator {
    /** The bundle that the project's trees are validated with now; the same tree under another bundle is another snapshot. */
    Uni<String> bundle(ProjectScope scope);

    /** Judges the tree. A failure of the {@code Uni} counts as {@link Validation.Unavailable}. */
    Uni<Validation> validate(Candidate candidate);

    /**
     * A tree to be judged. Its blobs can be read from {@link SnapshotStore}.
     *
     * @param tree over the files alone
     * @param snapshotId as aiel-runtime computes it
     */
    record Candidate(ProjectScope scope, Digest tree, String snapshotId, String bundle, List<SnapshotFile> files) {
        public Candidate {
            files = List.copyOf(files);
        }
    }

    /** What became of it. */
    sealed interface Validation {
        /**
         * It loads and its contracts hold.
         *
         * @param exports the {@code exports} array of the worker protocol
         */
        record Valid(String sdkVersion, String runtimeVersion, JsonText exports) implements Validation {}

        /** It may not be run; there is at least one finding. */
        record Rejected(List<Finding> findings) implements Validation {
            public Rejected {
                findings = List.copyOf(findings);
                if (findings.isEmpty()) {
                    throw new IllegalArgumentException("a rejection says what is wrong");
                }
            }
        }

        /** Nothing could be found out; says nothing about the tree. */
        record Unavailable(String detail) implements Validation {}
    }

    /**
     * One thing wrong.
     *
     * @param line from 1
     */
    record Finding(String code, String message, Optional<String> file, Optional<Integer> line) {}
}
