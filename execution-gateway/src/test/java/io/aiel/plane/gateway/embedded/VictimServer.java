package io.aiel.plane.gateway.embedded;

import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;

/** The main class of a process that starts the embedded servers and then waits to be killed. */
final class VictimServer {
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
        var lock = DataDirectoryLock.acquire(folder);
        var postgres = EmbeddedPostgres.start(folder.resolve("postgres"), libraries, line -> {});
        var kafka = arguments.length > 2
                ? EmbeddedKafka.start(folder.resolve("kafka"), libraries, line -> {})
                : null;
        System.out.println("READY " + postgres.port());
        System.out.flush();
        new CountDownLatch(1).await();
        throw new AssertionError("never reached, but keeps these reachable: " + lock + postgres + kafka);
    }
}
