package io.aiel.plane.gateway.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.regex.Pattern;

/**
 * The server's precedence on the processors, where Linux shares them out by session ("autogroup" in sched(7)): where no CPU cgroup does, each session
 * that wants to run gets as much as any other. Each of PostgreSQL's backends is a session, and the workers count as one more. A dozen of these
 * leave the one that hears, refuses and ends everything less than a tenth of a busy machine, and what it could refuse in microseconds
 * waits for its turn.
 *
 * <p>So a server that leads its session, as a service does, gives it more weight. The session of a terminal is left alone: other programs are in
 * it, too. To have a negative nice value takes {@code CAP_SYS_NICE}; without it, or without autogroups, everything stays as it is.
 *
 * <p>Thread-safe, without state.
 */
final class SessionPrecedence {
    /**
     * A nice value as of setpriority(2): three times the weight of a session with the usual 0. Twice the value did little more for refusals, and the
     * server's compilers are in its session, too: while they are busy, others are to get their part.
     */
    private static final String NICE = "-5";

    /** After the name in parentheses, which may hold anything, also parentheses: state, parent, process group, session; proc_pid_stat(5). */
    private static final Pattern STAT = Pattern.compile("(?s)(\\d+) \\(.*\\) \\S \\d+ \\d+ (\\d+) .*");

    private SessionPrecedence() {}

    /**
     * Takes it, if this process leads its session and may.
     *
     * @param self the process's folder, {@code /proc/self}
     * @return whether it was taken
     */
    static boolean take(Path self) {
        try {
            // A name has any bytes.
            var stat = STAT.matcher(Files.readString(self.resolve("stat"), StandardCharsets.ISO_8859_1));
            if (!stat.matches() || !stat.group(1).equals(stat.group(2))) {
                return false;
            }
            Files.writeString(self.resolve("autogroup"), NICE, StandardOpenOption.WRITE);
            return true;
        } catch (IOException _) {
            return false;
        }
    }
}
