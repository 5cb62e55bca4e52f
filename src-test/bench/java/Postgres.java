import io.aiel.plane.gateway.embedded.EmbeddedLibraries;
import io.aiel.plane.gateway.embedded.EmbeddedPostgres;
import java.nio.file.Path;

/** Runs the plane's own embedded PostgreSQL, with the plane's settings, until standard input ends. Prints its address. */
public final class Postgres {
    private Postgres() {}

    /** Takes the folder of the data. */
    public static void main(String[] arguments) throws Exception {
        try (EmbeddedPostgres server =
                EmbeddedPostgres.start(Path.of(arguments[0]), EmbeddedLibraries.fromSystemProperty(), System.err::println)) {
            System.out.println(server.jdbcUrl());
            while (System.in.read() >= 0) {
                // Nothing is said; only the end counts.
            }
        }
    }
}
