package io.aiel.plane.gateway.embedded;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A child process that cannot outlive this JVM, not even when the JVM is killed with {@code SIGKILL}.
 *
 * <p>Between the JVM and the server stands a small POSIX shell script that reads from a pipe nobody ever writes to. The
 * kernel closes the JVM's end when the JVM ends, however it ends; the script then sends the server its orderly stop
 * signal, and after a grace period {@code SIGKILL}. The parent-death signal of Linux ({@code PR_SET_PDEATHSIG}) is not
 * used here because it fires when the <em>thread</em> that forked ends, and the JVM forks from whichever thread calls.
 *
 * <p>The child runs in a session of its own, so that Ctrl-C in the terminal reaches the JVM alone, which first drains
 * and then stops its servers in order.
 *
 * <p>Safe for use by several threads; {@link #stop} may be called more than once.
 */
final class GuardedProcess {
    /**
     * Arguments: stop signal, grace in seconds, command. Descriptor 3 is the pipe; the shell gives background jobs
     * {@code /dev/null} as their input, hence the copy. The server itself must not hold the pipe.
     */
    private static final String GUARD = """
            signal=$1 grace=$2
            shift 2
            exec 3<&0
            "$@" </dev/null 3<&- &
            child=$!
            (
              read -r _ <&3
              kill -s "$signal" "$child" 2>/dev/null || exit 0
              while [ "$grace" -gt 0 ] && kill -0 "$child" 2>/dev/null; do sleep 1; grace=$((grace - 1)); done
              kill -s KILL "$child" 2>/dev/null
            ) &
            watcher=$!
            exec 3<&- </dev/null
            wait "$child"
            code=$?
            kill "$watcher" 2>/dev/null
            exit "$code"
            """;

    private static final Duration POLL = Duration.ofMillis(20);

    private final String name;
    private final Process process;
    private final Duration grace;
    private final Path log;

    private GuardedProcess(String name, Process process, Duration grace, Path log) {
        this.name = name;
        this.process = process;
        this.grace = grace;
        this.log = log;
    }

    /**
     * Starts the command.
     *
     * @param name what messages call it
     * @param command the program and its arguments
     * @param stopSignal the signal that asks the program for an orderly stop, without {@code SIG}
     * @param grace how long the orderly stop may take
     * @param log receives standard output and error; overwritten
     * @param environment the whole environment of the program
     * @return the running process
     */
    static GuardedProcess start(
            String name,
            List<String> command,
            String stopSignal,
            Duration grace,
            Path log,
            Map<String, String> environment) {
        var full = new ArrayList<String>(
                List.of("setsid", "sh", "-c", GUARD, "plane-guard", stopSignal, Long.toString(grace.toSeconds())));
        full.addAll(command);
        var builder = new ProcessBuilder(full)
                .redirectErrorStream(true)
                .redirectInput(ProcessBuilder.Redirect.PIPE)
                .redirectOutput(log.toFile());
        builder.environment().clear();
        builder.environment().putAll(environment);
        try {
            return new GuardedProcess(name, builder.start(), grace, log);
        } catch (IOException e) {
            throw new EmbeddedServerFailed(
                    "Cannot start " + name + ": " + e.getMessage() + ". The programs setsid and sh are needed.", e);
        }
    }

    boolean isAlive() {
        return process.isAlive();
    }

    /**
     * Waits until the probe succeeds.
     *
     * @param probe true when the program serves
     * @param limit how long to wait
     * @throws EmbeddedServerFailed when the program ended or the limit passed; it has been stopped then
     */
    void awaitReady(Probe probe, Duration limit) {
        long deadline = System.nanoTime() + limit.toNanos();
        while (true) {
            if (probe.succeeds()) {
                return;
            }
            if (!process.isAlive()) {
                throw new EmbeddedServerFailed(name + " ended with code " + process.exitValue() + " while starting. "
                        + lastLines() + " (whole log: " + log + ")");
            }
            if (System.nanoTime() - deadline > 0) {
                stop();
                throw new EmbeddedServerFailed(name + " was not ready within " + limit.toSeconds() + " s. "
                        + lastLines() + " (whole log: " + log + ")");
            }
            pause();
        }
    }

    /**
     * Waits until a program that does one thing has done it.
     *
     * @param limit how long to wait
     * @throws EmbeddedServerFailed when it failed or the limit passed; it has been stopped then
     */
    void awaitEnd(Duration limit) {
        boolean ended;
        try {
            ended = process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            stop();
            Thread.currentThread().interrupt();
            throw new EmbeddedServerFailed("Interrupted while waiting for " + name, e);
        }
        if (!ended) {
            stop();
            throw new EmbeddedServerFailed(
                    name + " did not end within " + limit.toSeconds() + " s. " + lastLines() + " (log: " + log + ")");
        }
        if (process.exitValue() != 0) {
            throw new EmbeddedServerFailed(name + " failed with code " + process.exitValue() + ". " + lastLines()
                    + " (whole log: " + log + ")");
        }
    }

    /** Asks for an orderly stop, waits for the grace period and then kills. Returns when the process is gone. */
    void stop() {
        try {
            process.getOutputStream().close();
        } catch (IOException e) {
            // The guard has closed its end already: it is on its way out, and the wait below sees to it.
            process.destroy();
        }
        try {
            if (!process.waitFor(grace.toMillis() + 5_000, TimeUnit.MILLISECONDS)) {
                process.descendants().forEach(ProcessHandle::destroyForcibly);
                process.destroyForcibly().waitFor(5, TimeUnit.SECONDS);
            }
        } catch (InterruptedException e) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }

    /**
     * Ends processes that a killed server left behind: those whose command line holds the tag.
     *
     * <p>Call only while holding the lock of the data folder, which proves that no living server owns them. Their guard
     * is normally stopping them already, so they are given the time for that first.
     *
     * @param tag a word that only processes of this data folder carry
     * @param limit how long to wait for an orderly end before killing
     */
    static void endLeftovers(String tag, Duration limit) {
        long deadline = System.nanoTime() + limit.toNanos();
        while (true) {
            List<ProcessHandle> left = tagged(tag);
            if (left.isEmpty()) {
                return;
            }
            if (System.nanoTime() - deadline > 0) {
                left.forEach(ProcessHandle::destroyForcibly);
                if (System.nanoTime() - deadline > Duration.ofSeconds(10).toNanos()) {
                    throw new EmbeddedServerFailed("Processes of an earlier run cannot be ended: "
                            + left.stream().map(ProcessHandle::pid).toList() + ". End them and start again.");
                }
            }
            pause();
        }
    }

    private static List<ProcessHandle> tagged(String tag) {
        try (Stream<ProcessHandle> all = ProcessHandle.allProcesses()) {
            return all.filter(handle -> commandLineHolds(handle.pid(), tag)).toList();
        }
    }

    private static boolean commandLineHolds(long pid, String tag) {
        try {
            byte[] line = Files.readAllBytes(Path.of("/proc", Long.toString(pid), "cmdline"));
            return new String(line, StandardCharsets.UTF_8).contains(tag);
        } catch (IOException e) {
            // The process ended while we looked.
            return false;
        }
    }

    private static void pause() {
        try {
            Thread.sleep(POLL);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new EmbeddedServerFailed("Interrupted while waiting for an embedded server", e);
        }
    }

    private String lastLines() {
        try {
            List<String> lines = Files.readAllLines(log);
            return "Its last words: " + String.join(" | ", lines.subList(Math.max(0, lines.size() - 8), lines.size()));
        } catch (IOException e) {
            return "It left no log.";
        }
    }

    /** Tells whether the program serves yet. */
    @FunctionalInterface
    interface Probe {
        /**
         * Looks once, without waiting long.
         *
         * @return true when it serves
         */
        boolean succeeds();
    }
}
