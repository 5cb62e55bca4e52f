package io.aiel.plane.gateway.cli;

import io.aiel.plane.gateway.embedded.PrivateFiles;
import io.aiel.plane.gateway.grpc.GrpcServer;
import io.aiel.plane.gateway.identity.Bootstrap;
import io.quarkus.arc.Unremovable;
import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.QuarkusApplication;
import io.quarkus.vertx.VertxContextSupport;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What happens once Quarkus has started: the development tenant, waiting for readiness, the greeting, the end. */
@Singleton
@Unremovable
public class Server implements QuarkusApplication {
    private static final Duration BOOTSTRAP_LIMIT = Duration.ofSeconds(90);

    private static @Nullable Start start;

    private final Bootstrap bootstrap;
    private final GrpcServer grpc;

    Server(Bootstrap bootstrap, GrpcServer grpc) {
        this.bootstrap = bootstrap;
        this.grpc = grpc;
    }

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
        writeToken(begun.folder().tokenFile());
        begun.folder().writeRunning(begun.url());
        try {
            var greeting = Thread.ofVirtual().name("plane-greeting").start(() -> greet(begun, grpc.address()));
            Quarkus.waitForExit();
            say(begun.out(), "Stopping: letting running requests end");
            greeting.interrupt();
        } finally {
            begun.folder().deleteRunning();
        }
        return 0;
    }

    /** The token of an earlier start is kept while it works, so that profiles made with it go on working. */
    private void writeToken(Path file) throws IOException {
        Optional<String> existing = Files.exists(file)
                ? Optional.of(Files.readString(file).strip()).filter(text -> !text.isEmpty())
                : Optional.empty();
        String token = await(existing);
        if (!Optional.of(token).equals(existing)) {
            PrivateFiles.write(file, token + "\n");
        }
    }

    private String await(Optional<String> existing) {
        try {
            return VertxContextSupport.subscribeAndAwait(() -> bootstrap
                    .ensureDevelopment(existing)
                    // A database that is away for a while, or a busy machine, must not end a server that says already
                    // that
                    // it is ready. What was made is kept, so trying again is safe.
                    .onFailure()
                    .retry()
                    .withBackOff(Duration.ofMillis(500), Duration.ofSeconds(3))
                    .expireIn(BOOTSTRAP_LIMIT.toMillis())
                    .ifNoItem()
                    .after(BOOTSTRAP_LIMIT)
                    .failWith(() -> new CommandFailed("The development tenant could not be made within "
                            + BOOTSTRAP_LIMIT.toSeconds() + " s; is PostgreSQL answering?")));
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new CommandFailed("The development tenant could not be made: " + e.getMessage(), e);
        }
    }

    private static void greet(Start begun, Optional<String> grpc) {
        if (!new Readiness(begun.url()).await(line -> say(begun.out(), line))) {
            return;
        }
        say(begun.out(), """

                Ready at %1$s

                  token       %2$s (a development token; keep it private)
                  workspace   demo
                  project     hello
                  gRPC        %3$s

                Try, in another terminal:
                  ./plane demo          pushes a sample with the published aiel command, runs it, shows the audit trail of the run
                  ./plane login         writes the profile that the aiel command reads
                  curl -H "Authorization: Bearer $(cat %2$s)" %1$s/v1/auth/me

                Ctrl-C stops everything that was started.
                """.formatted(begun.url(), shown(begun.folder().tokenFile()), grpc.orElse("is off")));
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
