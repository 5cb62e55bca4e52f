package io.aiel.plane.hydrator;

import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.JsonText;
import java.util.List;
import java.util.Optional;

/** What loading a snapshot in the sandbox showed. */
public sealed interface DescribeReport {
    /**
     * It loads and its contracts hold.
     *
     * @param describe the runtime's own describe document
     * @param exports the {@code exports} array of the worker protocol
     */
    record Loaded(
            String snapshotId,
            JsonText describe,
            JsonText exports,
            String sdkVersion,
            String runtimeVersion,
            long loadMs)
            implements DescribeReport {}

    /** It does not load, or breaks a rule; there is at least one finding. */
    record Rejected(List<Finding> findings) implements DescribeReport {
        public Rejected {
            findings = List.copyOf(findings);
        }
    }

    /** The sandbox could not be had; says nothing about the snapshot, try again later. */
    record Unavailable(ErrorCode code, String detail) implements DescribeReport {}

    /**
     * One thing wrong.
     *
     * @param line from 1
     */
    record Finding(String code, String message, Optional<String> file, Optional<Integer> line) {}
}
