package io.aiel.plane.registry.snapshot;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;

/**
 * Computes the id that aiel-runtime gives to a folder: SHA-256 over its files, path by path, each as path, NUL, bytes, NUL. The
 * order is that of Python's paths, compared part by part: {@code a/b} comes before {@code a-b}, unlike in an order of texts.
 * One instance computes one id; not thread-safe.
 */
public final class SnapshotId {
    /** The order in which files must be added: part by part, by code points. */
    public static final Comparator<String> ORDER = SnapshotId::compare;

    private static final List<String> SKIPPED = List.of(".git/", ".venv/", "__pycache__/");

    private final MessageDigest sha256;

    public SnapshotId() {
        try {
            sha256 = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    /** Adds the next file; files of the folders that the runtime skips are skipped here too. */
    public void add(String path, byte[] bytes) {
        if (SKIPPED.stream().anyMatch(path::startsWith)) {
            return;
        }
        sha256.update(path.getBytes(StandardCharsets.UTF_8));
        sha256.update((byte) 0);
        sha256.update(bytes);
        sha256.update((byte) 0);
    }

    /** The id, 64 hex digits; nothing can be added afterwards. */
    public String hex() {
        return HexFormat.of().formatHex(sha256.digest());
    }

    private static int compare(String one, String other) {
        String[] left = one.split("/", -1);
        String[] right = other.split("/", -1);
        for (int i = 0; i < Math.min(left.length, right.length); i++) {
            // UTF-8 sorts as code points do; Java's order of texts differs beyond U+FFFF.
            int order = Arrays.compareUnsigned(
                    left[i].getBytes(StandardCharsets.UTF_8), right[i].getBytes(StandardCharsets.UTF_8));
            if (order != 0) {
                return order;
            }
        }
        return Integer.compare(left.length, right.length);
    }
}
