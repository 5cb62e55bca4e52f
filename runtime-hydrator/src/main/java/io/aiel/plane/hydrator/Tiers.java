package io.aiel.plane.hydrator;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * The isolation tiers and which of them a server takes: the one that is named, or with {@code auto} the strongest that this
 * machine has. Never one below the minimum, and never {@code none} unless it is named.
 */
final class Tiers {
    static final String AUTO = "auto";
    static final String NONE = "none";
    /** What {@code auto} means where nobody said how weak it may get. */
    static final String MINIMUM = "namespaces";

    /** The strongest first. */
    static final List<String> ALL = List.of("gvisor", MINIMUM, "restricted", NONE);

    private static final Duration PROBE_MAX = Duration.ofSeconds(60);
    private static final JsonMapper JSON = new JsonMapper();

    private Tiers() {}

    /** Throws {@link IllegalArgumentException} that says what may be written instead. */
    static void check(String isolation, Optional<String> minimum) {
        if (!isolation.equals(AUTO) && !ALL.contains(isolation)) {
            throw new IllegalArgumentException(
                    "isolation is '" + isolation + "'; it must be one of [auto, " + String.join(", ", ALL) + "]");
        }
        minimum.filter(name -> !ALL.contains(name)).ifPresent(name -> {
            throw new IllegalArgumentException("the minimum isolation is '" + name + "'; it must be one of " + ALL);
        });
    }

    /**
     * The tiers that would do, the strongest first.
     *
     * @throws HydratorFailure when the named tier is below the minimum
     */
    static List<String> candidates(String isolation, Optional<String> minimum) throws HydratorFailure {
        int weakest = ALL.indexOf(minimum.orElse(isolation.equals(AUTO) ? MINIMUM : isolation));
        if (isolation.equals(AUTO)) {
            // A stronger one than the usual costs a second per start: it is taken when it is demanded, not when it is
            // found.
            int strongest = Math.min(weakest, ALL.indexOf(MINIMUM));
            return ALL.subList(strongest, Math.min(weakest, ALL.indexOf(NONE) - 1) + 1);
        }
        if (ALL.indexOf(isolation) > weakest) {
            throw new HydratorFailure("isolation '" + isolation + "' is below the minimum '" + ALL.get(weakest)
                    + "'; set plane.hydrator.isolation to auto or a stronger tier, or lower plane.hydrator.minimum");
        }
        return List.of(isolation);
    }

    /**
     * The tier to run with. Where only one will do it is taken without a look at the machine: that it cannot be had is then said
     * by the step that was refused.
     */
    static String choose(HydratorSettings settings, Path python, Path code)
            throws HydratorFailure, InterruptedException {
        List<String> candidates = candidates(settings.isolation(), settings.minimum());
        if (candidates.size() == 1) {
            return candidates.getFirst();
        }
        JsonNode tiers = probe(python, code, candidates).path("tiers");
        List<String> why = new ArrayList<>();
        for (String tier : candidates) {
            if (tiers.path(tier).path("available").asBoolean()) {
                return tier;
            }
            why.add(tier + ": " + tiers.path(tier).path("why").asText("not tried"));
        }
        throw new HydratorFailure("this machine has no isolation of at least '" + candidates.getLast() + "' ("
                + String.join("; ", why) + ")");
    }

    private static JsonNode probe(Path python, Path code, List<String> tiers)
            throws HydratorFailure, InterruptedException {
        try {
            Path answer = Files.createTempFile("plane-probe", ".json");
            Process process = null;
            try {
                Path launcher = code.resolve("plane_worker").resolve("launcher.py");
                List<String> command =
                        new ArrayList<>(List.of(python.toString(), "-I", "-S", "-B", launcher.toString(), "--probe"));
                // Only those: a stronger one may take seconds to try.
                command.addAll(tiers);
                ProcessBuilder builder = new ProcessBuilder(command)
                        .redirectInput(new File("/dev/null"))
                        .redirectOutput(answer.toFile())
                        .redirectError(ProcessBuilder.Redirect.DISCARD);
                builder.environment().clear();
                process = builder.start();
                if (!process.waitFor(PROBE_MAX.toMillis(), TimeUnit.MILLISECONDS) || process.exitValue() != 0) {
                    throw new HydratorFailure("what isolation this machine has cannot be found out: the probe "
                            + (process.isAlive() ? "does not end" : "ended with " + process.exitValue()));
                }
                return JSON.readTree(Files.readString(answer, StandardCharsets.UTF_8));
            } finally {
                if (process != null) {
                    process.descendants().forEach(ProcessHandle::destroyForcibly);
                    process.destroyForcibly();
                }
                Files.deleteIfExists(answer);
            }
        } catch (IOException e) {
            throw new HydratorFailure("what isolation this machine has cannot be found out: " + e, e);
        }
    }
}
