package io.aiel.plane.gateway.cli;

import io.quarkus.arc.Unremovable;
import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.QuarkusApplication;
import jakarta.inject.Singleton;
import java.io.PrintWriter;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** What happens once Quarkus has started: the development tenant, waiting for readiness, the greeting, the end. */
@Singleton
@Unremovable
public class Server implements QuarkusApplication {
    private static @Nullable Start start;

    /** What the command that starts Quarkus tells the object that Quarkus makes; they share no other way. */
    private record Start(DataFolder folder, String url, PrintWriter out) {}

    static void prepare(DataFolder folder, String url, PrintWriter out) {
        start = new Start(folder, url, out);
    }

    @Override
    public int run(String... arguments) throws Exception {
        Start begun = start;
        if (begun == null) {
            throw new IllegalStateException("The server is started by the command up");
        }
        begun.folder().writeRunning(begun.url());
        try {
            var greeting = Thread.ofVirtual().name("plane-greeting").start(() -> greet(begun));
            Quarkus.waitForExit();
            say(begun.out(), "Stopping: letting running requests end");
            greeting.interrupt();
        } finally {
            begun.folder().deleteRunning();
        }
        return 0;
    }

    private static void greet(Start begun) {
        if (!new Readiness(begun.url()).await(line -> say(begun.out(), line))) {
            return;
        }
        say(begun.out(), """

                Ready at %1$s

                  token       %2$s (a development token; keep it private)
                  workspace   demo
                  project     hello

                Try, in another terminal:
                  ./plane demo          pushes a sample with the published aiel command, runs it, shows the audit trail of the run
                  ./plane login         writes the profile that the aiel command reads
                  curl -H "Authorization: Bearer $(cat %2$s)" %1$s/v1/auth/me

                Ctrl-C stops everything that was started.
                """.formatted(begun.url(), shown(begun.folder().tokenFile())));
    }

    /** Short when the file is below the working folder. */
    private static Path shown(Path file) {
        Path here = Path.of("").toAbsolutePath();
        return file.startsWith(here) ? here.relativize(file) : file;
    }

    private static void say(PrintWriter out, String line) {
        out.println(line);
        out.flush();
    }
}
