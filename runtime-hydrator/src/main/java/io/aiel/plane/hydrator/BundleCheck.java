package io.aiel.plane.hydrator;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * Looks at what an installer unpacked before anything of it is used: plain files only, not too many, each brought by exactly one
 * package whose RECORD names its SHA-256, and nothing missing. The archives' own hashes are in our lock file; this is the second
 * lock, against an archive that unpacks to something else than it says. Blocks; keeps nothing.
 */
final class BundleCheck {
    /** What a bundle may be. */
    record Limits(int filesMax, long bytesMax) {
        static final Limits DEFAULT = new Limits(100_000, 4L << 30);
    }

    private static final String RECORD = "RECORD";

    private final Path site;
    private final Limits limits;
    private final Map<String, Path> files = new TreeMap<>();
    private final Map<String, String> folded = new HashMap<>();
    private long bytes;

    private BundleCheck(Path site, Limits limits) {
        this.site = site;
        this.limits = limits;
    }

    /** Throws with the first thing that is wrong. */
    static void check(Path site, Limits limits) throws HydratorFailure, IOException {
        BundleCheck check = new BundleCheck(site, limits);
        String wrong = check.walk();
        if (wrong.isEmpty()) {
            wrong = check.records();
        }
        if (!wrong.isEmpty()) {
            throw new HydratorFailure("the unpacked packages are refused: " + wrong);
        }
    }

    private String walk() throws IOException {
        List<String> wrong = new ArrayList<>();
        Files.walkFileTree(site, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                String name = site.relativize(file).toString();
                String problem = see(name, file, attributes);
                if (!problem.isEmpty()) {
                    wrong.add(problem);
                }
                return problem.isEmpty() ? FileVisitResult.CONTINUE : FileVisitResult.TERMINATE;
            }
        });
        return wrong.isEmpty() ? "" : wrong.getFirst();
    }

    private String see(String name, Path file, BasicFileAttributes attributes) {
        if (!attributes.isRegularFile()) {
            return name + " is a link or a device";
        }
        files.put(name, file);
        bytes += attributes.size();
        if (files.size() > limits.filesMax()) {
            return "more than " + limits.filesMax() + " files";
        }
        if (bytes > limits.bytesMax()) {
            return "more than " + limits.bytesMax() + " bytes";
        }
        String other =
                folded.put(Normalizer.normalize(name, Normalizer.Form.NFC).toLowerCase(Locale.ROOT), name);
        return other == null ? "" : name + " and " + other + " differ in letter case or normal form alone";
    }

    private String records() throws IOException {
        Map<String, String> owners = new HashMap<>();
        for (Map.Entry<String, Path> file : files.entrySet()) {
            String[] parts = file.getKey().split("/", -1);
            if (parts.length == 2 && parts[0].endsWith(".dist-info") && parts[1].equals(RECORD)) {
                String wrong = record(parts[0], file.getValue(), owners);
                if (!wrong.isEmpty()) {
                    return wrong;
                }
            }
        }
        for (String name : files.keySet()) {
            if (!owners.containsKey(name) && !ownerless(name)) {
                return name + " is in no package's RECORD";
            }
        }
        return "";
    }

    /** What installers make themselves: compiled code, scripts (which workers cannot run) and uv's lock. */
    private static boolean ownerless(String name) {
        return name.endsWith(".pyc") || name.startsWith("bin/") || name.equals(".lock");
    }

    private String record(String owner, Path record, Map<String, String> owners) throws IOException {
        for (String line : Files.readAllLines(record, StandardCharsets.UTF_8)) {
            List<String> row = row(line);
            String name = row.getFirst();
            if (row.size() != 3) {
                return owner + "/RECORD has a line that is none";
            }
            // pip names scripts by where they would be elsewhere; they are not looked for, and nothing outside is read.
            if (name.startsWith("../") || name.startsWith("/") || name.contains("/../")) {
                continue;
            }
            String other = owners.put(name, owner);
            if (other != null && !other.equals(owner)) {
                return name + " is brought by two packages, " + other + " and " + owner;
            }
            Path file = files.get(name);
            if (file == null) {
                if (name.endsWith(".pyc")) {
                    continue;
                }
                return name + " is in the RECORD of " + owner + " and was not unpacked";
            }
            boolean exempt = name.endsWith(".pyc") || name.equals(owner + "/" + RECORD);
            if (!exempt && !row.get(1).equals("sha256=" + sha256(file))) {
                return name + " does not have the SHA-256 that the RECORD of " + owner + " names";
            }
        }
        return "";
    }

    /** One line of CSV (PEP 376): a name may be in quotation marks. */
    private static List<String> row(String line) {
        List<String> row = new ArrayList<>();
        StringBuilder field = new StringBuilder();
        boolean quoted = false;
        for (int i = 0; i < line.length(); i++) {
            char c = line.charAt(i);
            if (c == '"') {
                boolean doubled = quoted && i + 1 < line.length() && line.charAt(i + 1) == '"';
                if (doubled) {
                    field.append('"');
                    i++;
                } else {
                    quoted = !quoted;
                }
            } else if (c == ',' && !quoted) {
                row.add(field.toString());
                field.setLength(0);
            } else {
                field.append(c);
            }
        }
        row.add(field.toString());
        return row;
    }

    private static String sha256(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            byte[] buffer = new byte[1 << 16];
            for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
                digest.update(buffer, 0, count);
            }
            return Base64.getUrlEncoder().withoutPadding().encodeToString(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
