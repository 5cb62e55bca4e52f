package io.aiel.plane.gateway.embedded;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/** The main class of a process that starts the embedded servers and then waits to be killed. */
final class VictimServer {
    /** A server that nobody holds would be collected, and its pipe closed with it. */
    private static final List<AutoCloseable> KEPT = new ArrayList<>();

    private VictimServer() {}

    /**
     * Starts PostgreSQL, and Kafka when a third argument says so, prints {@code READY} and waits for ever.
     *
     * @param arguments the data folder, the folder of the libraries, and optionally {@code kafka}
     */
    @SuppressWarnings("SystemOut") // The line is what the test waits for.
    public static void main(String... arguments) throws InterruptedException {
        Path folder = Path.of(arguments[0]);
        var libraries = new EmbeddedLibraries(Path.of(arguments[1]));
        KEPT.add(DataDirectoryLock.acquire(folder));
        var postgres = EmbeddedPostgres.start(folder.resolve("postgres"), libraries, line -> {});
        KEPT.add(postgres);
        if (arguments.length > 2) {
            KEPT.add(EmbeddedKafka.start(folder.resolve("kafka"), libraries, line -> {}));
        }
        System.out.println("READY " + postgres.port());
        System.out.flush();
        new CountDownLatch(1).await();
    }
}
