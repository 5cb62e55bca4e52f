package io.aiel.plane.gateway.cli;

import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.QuarkusApplication;
import java.io.IOException;
import java.io.PrintWriter;
import org.jspecify.annotations.Nullable;

/** What happens once Quarkus has started: the development tenant, the greeting, and waiting for the end. */
public final class Server implements QuarkusApplication {
    private static @Nullable Start start;

    /** What the command that starts Quarkus tells the object that Quarkus makes; they share no other way. */
    private record Start(DataFolder folder, String url, PrintWriter out) {}

    static void prepare(DataFolder folder, String url, PrintWriter out) {
        start = new Start(folder, url, out);
    }

    @Override
    public int run(String... arguments) throws IOException {
        Start begun = start;
        if (begun == null) {
            throw new IllegalStateException("The server is started by the command up");
        }
        begun.folder().writeRunning(begun.url());
        try {
            begun.out().println("Serving at " + begun.url());
            begun.out().flush();
            Quarkus.waitForExit();
        } finally {
            begun.folder().deleteRunning();
        }
        return 0;
    }
}
