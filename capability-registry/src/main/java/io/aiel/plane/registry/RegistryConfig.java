package io.aiel.plane.registry;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;
import java.util.Optional;

/** Limits of files, snapshots and the registry's caches. */
@ConfigMapping(prefix = "plane.registry")
public interface RegistryConfig {
    /** The largest file, bytes. */
    @WithDefault("10485760")
    long fileBytesMax();

    /** All files of a project together, bytes. */
    @WithDefault("104857600")
    long projectBytesMax();

    /** How many files a project may have. */
    @WithDefault("2000")
    int projectFilesMax();

    /** The longest path, bytes of UTF-8. */
    @WithDefault("512")
    int pathBytesMax();

    /** The most parts that a path may have. */
    @WithDefault("32")
    int pathSegmentsMax();

    /** The longest part of a path, bytes of UTF-8. */
    @WithDefault("255")
    int pathSegmentBytesMax();

    /** How long a signed URL works, and so how long an upload may take from signing to commit. */
    @WithDefault("15m")
    Duration signedUrlTtl();

    /** The bytes of files that this node receives and sends at the same time; at least the largest file is let through. */
    @WithDefault("33554432")
    long bodiesBytesMax();

    /** How many uploads and downloads may wait for room in that; more are refused at once. */
    @WithDefault("256")
    int bodiesWaitingMax();

    /** How long one waits for room. */
    @WithDefault("20s")
    Duration bodiesWait();

    /** The longest time that receiving or sending one body may take. */
    @WithDefault("60s")
    Duration uploadReceiveTimeout();

    /** How many uploads of one project may be signed and not yet committed or expired. */
    @WithDefault("1000")
    int uploadsOpenMax();

    /**
     * The bytes of one project's uploads that are not committed: those that may still come, and those that came, until they are
     * swept. Uploads that are signed at the same moment can pass it by what they have.
     */
    @WithDefault("1073741824")
    long uploadsBytesMax();

    /** How long a tree must have been quiet before it is sealed by itself. */
    @WithDefault("400ms")
    Duration quietPeriod();

    /** For how long an upload that is signed and shows no progress holds back the automatic seal. */
    @WithDefault("30s")
    Duration uploadIdle();

    /** How long one validation may take before it counts as not available. */
    @WithDefault("60s")
    Duration validateTimeout();

    /** How long to wait before a validation that could not be done is tried again. */
    @WithDefault("5s")
    Duration validateRetry();

    /** How long a caller waits for a seal that it asked for, another node's included. */
    @WithDefault("90s")
    Duration sealWait();

    /** How often unsealed trees are looked for; covers what a node that died left behind. */
    @WithDefault("1s")
    Duration sealSweepInterval();

    /** How often what nobody needs any more is cleared away: uploads that are over, and unused blobs. */
    @WithDefault("10m")
    Duration sweepInterval();

    /** How many uploads, and how many blobs, one sweep removes at most; when there are more, the next follows soon. */
    @WithDefault("200")
    int sweepLimit();

    /** How long after its expiry an upload is forgotten, and with it that it was committed. */
    @WithDefault("1h")
    Duration sweepUploadsAfter();

    /** How long after it was last wanted an unused blob is removed; at least five minutes. */
    @WithDefault("24h")
    Duration sweepBlobsAfter();

    /** For how long this node believes what is current in a project before it looks again: the bound on other nodes' changes. */
    @WithDefault("1500ms")
    Duration currentTtl();

    /** How many snapshots' capabilities, and how many projects' current deployments, are kept in memory. */
    @WithDefault("1000")
    int cachedSnapshotsMax();

    /** The longest a database transaction of the registry may take. */
    @WithDefault("10s")
    Duration databaseTimeout();

    /**
     * The key that signs the URLs of uploads and downloads, 64 hex digits, the same for all nodes; absent means one that is kept in the
     * database, where whoever reads a backup finds it. Better given as the environment variable PLANE_REGISTRY_SIGNING_KEY than as
     * an option of the command line, which other users see.
     */
    Optional<String> signingKey();
}
