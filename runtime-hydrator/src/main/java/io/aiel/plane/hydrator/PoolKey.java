package io.aiel.plane.hydrator;

import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ProjectScope;

/** What workers may be shared for: one project's one snapshot, on one bundle, with one memory limit and one profile. */
record PoolKey(
        ProjectScope scope, Digest snapshot, String snapshotId, String bundle, long memoryBytes, Profile profile) {}
