package io.aiel.plane.gateway.embedded;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;

/**
 * A server that speaks MongoDB's protocol, with one user, in the clear and with TLS: FerretDB, built at need by {@code execution-gateway/mongodb-for-tests}. Where
 * it cannot be had, what needs it is skipped and says so on standard error and in the report; with {@code PLANE_MONGODB_REQUIRED=1} in the environment it fails
 * instead. It ends with this JVM, however that ends.
 */
public final class MongoForTests implements AutoCloseable {
    /** The database, which knows the user as well. */
    public static final String DATABASE = "shop";

    /** Who may do everything there. */
    public static final String USER = "agent";

    /** The user's. */
    public static final String PASSWORD = "canary-mongo-1c9e";

    private static final Duration BUILD_LIMIT = Duration.ofMinutes(40);
    private static final Duration START_LIMIT = Duration.ofSeconds(30);
    private static final int CANNOT_BE_HAD = 3;

    private final GuardedProcess process;
    private final int port;
    private final int tlsPort;

    private MongoForTests(GuardedProcess process, int port, int tlsPort) {
        this.process = process;
        this.port = port;
        this.tlsPort = tlsPort;
    }

    /**
     * Starts one, or ends the calling test as skipped.
     *
     * @param folder where it keeps what it keeps
     * @param certificate its certificate (PEM)
     * @param store the certificate's key, in a PKCS #12 store
     * @param storePassword of the store and of its one entry, {@code server}
     */
    public static MongoForTests orSkip(Path folder, Path certificate, Path store, String storePassword)
            throws IOException, InterruptedException, GeneralSecurityException {
        Path program = program();
        Path data = Files.createDirectories(folder.resolve("ferretdb"));
        int port = EmbeddedPostgres.freePort();
        int tlsPort = EmbeddedPostgres.freePort();
        GuardedProcess process = GuardedProcess.start(
                "FerretDB",
                List.of(
                        program.toString(),
                        "--handler=sqlite",
                        "--sqlite-url=file:" + data + "/",
                        "--state-dir=" + data,
                        "--listen-addr=127.0.0.1:" + port,
                        "--listen-tls=127.0.0.1:" + tlsPort,
                        "--listen-tls-cert-file=" + certificate,
                        "--listen-tls-key-file=" + key(store, storePassword, data.resolve("server.key")),
                        "--debug-addr=-",
                        "--telemetry=disable",
                        "--log-level=warn",
                        "--test-enable-new-auth",
                        "--setup-database=" + DATABASE,
                        "--setup-username=" + USER,
                        "--setup-password=" + PASSWORD),
                "TERM",
                Duration.ofSeconds(2),
                folder.resolve("ferretdb.log"),
                Map.of("PATH", System.getenv().getOrDefault("PATH", "/usr/bin:/bin")));
        process.awaitReady(() -> isOpen(port) && isOpen(tlsPort), START_LIMIT);
        return new MongoForTests(process, port, tlsPort);
    }

    /** Where it listens without TLS. */
    public int port() {
        return port;
    }

    /** Where it listens with TLS. */
    public int tlsPort() {
        return tlsPort;
    }

    @Override
    public void close() {
        process.stop();
    }

    private static Path key(Path store, String password, Path into) throws IOException, GeneralSecurityException {
        byte[] key = KeyStore.getInstance(store.toFile(), password.toCharArray())
                .getKey("server", password.toCharArray())
                .getEncoded();
        String text = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(key);
        return Files.writeString(into, "-----BEGIN PRIVATE KEY-----\n" + text + "\n-----END PRIVATE KEY-----\n");
    }

    private static boolean isOpen(int port) {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 1_000);
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    private static Path program() throws IOException, InterruptedException {
        Path out = Files.createTempFile("mongodb-for-tests", ".out");
        Path err = Files.createTempFile("mongodb-for-tests", ".err");
        try {
            Process script = new ProcessBuilder(
                            "python3",
                            Path.of("mongodb-for-tests").toAbsolutePath().toString())
                    .redirectOutput(out.toFile())
                    .redirectError(err.toFile())
                    .start();
            if (!script.waitFor(BUILD_LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
                script.destroyForcibly();
                throw new IOException("mongodb-for-tests did not end within " + BUILD_LIMIT);
            }
            if (script.exitValue() == CANNOT_BE_HAD) {
                return skip(Files.readString(err).strip());
            }
            if (script.exitValue() != 0) {
                throw new IOException(
                        "mongodb-for-tests ended with " + script.exitValue() + ": " + Files.readString(err));
            }
            return Path.of(Files.readString(out).strip());
        } finally {
            Files.deleteIfExists(out);
            Files.deleteIfExists(err);
        }
    }

    private static Path skip(String why) {
        String message = "SKIPPED, a server for mongodb.* cannot be had: " + why;
        System.err.println(message);
        if ("1".equals(System.getenv("PLANE_MONGODB_REQUIRED"))) {
            throw new AssertionError(message + " (and PLANE_MONGODB_REQUIRED=1)");
        }
        return Assumptions.abort(message);
    }
}
