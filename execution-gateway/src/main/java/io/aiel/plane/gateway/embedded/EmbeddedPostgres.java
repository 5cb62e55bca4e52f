package io.aiel.plane.gateway.embedded;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.StringReader;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.sql.Connection;
import java.sql.Driver;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.ServiceLoader;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.compressors.xz.XZCompressorInputStream;
import org.jspecify.annotations.Nullable;

/**
 * A real PostgreSQL server as a child process, with its data in a folder of ours.
 *
 * <p>The first start unpacks the binaries and runs {@code initdb} with scram authentication and generated passwords; later
 * starts find both. It listens on 127.0.0.1 at a free port and on no Unix socket. Data is synced to disk as on any
 * server. Because PostgreSQL refuses to run as root, under root it runs as an unprivileged numeric user.
 *
 * <p>The caller holds a {@link DataDirectoryLock} on a folder above, so that only one server uses the data. Starting and
 * stopping block; use no event loop.
 */
public final class EmbeddedPostgres implements AutoCloseable {
    private static final String VERSION = "18.6.0";
    private static final String DATABASE = "plane";
    private static final String USER = "plane";
    private static final String SUPERUSER = "postgres";

    /** Under root the server gives up its rights for this numeric user; it needs no account. */
    private static final int UNPRIVILEGED_ID = 19_432;

    /** Where the data appears to the server when a parent folder is closed to its unprivileged user. */
    private static final String BOUND = "/mnt";

    private static final Duration START_LIMIT = Duration.ofSeconds(90);
    private static final Duration INIT_LIMIT = Duration.ofMinutes(3);
    private static final Duration STOP_GRACE = Duration.ofSeconds(20);
    private static final int PORT_ATTEMPTS_MAX = 3;
    private static final int ANY_PORT = 0;

    private final GuardedProcess process;
    private final int port;
    private final Properties credentials;

    private EmbeddedPostgres(GuardedProcess process, int port, Properties credentials) {
        this.process = process;
        this.port = port;
        this.credentials = credentials;
    }

    /**
     * Installs when needed, starts, and makes the database and its user when they are missing.
     *
     * @param folder where binaries, data and passwords live
     * @param libraries where the jar with the binaries is
     * @param progress receives a short line before each slow step
     * @return the running server, ready for connections
     * @throws EmbeddedServerFailed when any step fails
     */
    public static EmbeddedPostgres start(Path folder, EmbeddedLibraries libraries, Consumer<String> progress) {
        return start(folder, libraries, ANY_PORT, progress);
    }

    /**
     * The same at a port of the caller's choice, so that clients find it again after a restart.
     *
     * @param folder where binaries, data and passwords live
     * @param libraries where the jar with the binaries is
     * @param port where to listen on 127.0.0.1; 0 for any that is free
     * @param progress receives a short line before each slow step
     * @return the running server, ready for connections
     * @throws EmbeddedServerFailed when any step fails
     */
    public static EmbeddedPostgres start(
            Path folder, EmbeddedLibraries libraries, int port, Consumer<String> progress) {
        Path root = folder.toAbsolutePath().normalize();
        try {
            Files.createDirectories(root);
            return new Installation(root, port, progress).start(libraries.postgresJar());
        } catch (IOException e) {
            throw new EmbeddedServerFailed("Cannot prepare PostgreSQL in " + root + ": " + e, e);
        }
    }

    /**
     * The address for JDBC clients.
     *
     * @return a URL without credentials
     */
    public String jdbcUrl() {
        return jdbcUrl(port, DATABASE);
    }

    /**
     * The address for the Vert.x client.
     *
     * @return a URL without credentials
     */
    public String reactiveUrl() {
        return "postgresql://127.0.0.1:" + port + "/" + DATABASE;
    }

    /**
     * The user that owns the database.
     *
     * @return its name
     */
    public String user() {
        return USER;
    }

    /**
     * The user's password; keep it out of logs.
     *
     * @return the password
     */
    public String password() {
        return credentials.getProperty(USER);
    }

    /**
     * The port on 127.0.0.1.
     *
     * @return the port
     */
    public int port() {
        return port;
    }

    /**
     * Whether the server process runs.
     *
     * @return false after a stop or a crash
     */
    public boolean isRunning() {
        return process.isAlive();
    }

    /** Throws the database away and makes an empty one; for tests that begin from nothing. */
    public void recreateDatabase() {
        try (Connection connection = connect(port, SUPERUSER, credentials, SUPERUSER);
                Statement statement = connection.createStatement()) {
            statement.execute("DROP DATABASE IF EXISTS " + DATABASE + " WITH (FORCE)");
            statement.execute("CREATE DATABASE " + DATABASE + " OWNER " + USER);
        } catch (SQLException e) {
            throw new EmbeddedServerFailed("Cannot make the database anew: " + e.getMessage(), e);
        }
    }

    /** Ends sessions, writes a checkpoint and stops; kills after a grace period. Safe to call again. */
    @Override
    public void close() {
        process.stop();
    }

    private static String jdbcUrl(int port, String database) {
        return "jdbc:postgresql://127.0.0.1:" + port + "/" + database;
    }

    private static Connection connect(int port, String user, Properties credentials, String database)
            throws SQLException {
        var properties = new Properties();
        properties.setProperty("user", user);
        properties.setProperty("password", credentials.getProperty(user));
        properties.setProperty("loginTimeout", "5");
        properties.setProperty("connectTimeout", "5");
        properties.setProperty("socketTimeout", "30");
        // Not DriverManager, which knows only the drivers of the class loader that happened to start it.
        for (Driver driver : ServiceLoader.load(Driver.class, EmbeddedPostgres.class.getClassLoader())) {
            Connection connection = driver.connect(jdbcUrl(port, database), properties);
            if (connection != null) {
                return connection;
            }
        }
        throw new SQLException("The PostgreSQL driver is not on the class path");
    }

    static int freePort() throws IOException {
        try (var socket = new ServerSocket(0, 1, InetAddress.getByAddress(new byte[] {127, 0, 0, 1}))) {
            return socket.getLocalPort();
        }
    }

    /** The files of one server on disk, and the steps from an empty folder to a running server. */
    private static final class Installation {
        private final Path root;
        private final Path install;
        private final Path data;
        private final Path credentialsFile;
        private final int wantedPort;
        private final Consumer<String> progress;
        private final boolean asRoot;
        private final String tag;

        Installation(Path root, int wantedPort, Consumer<String> progress) throws IOException {
            this.root = root;
            this.wantedPort = wantedPort;
            this.install = root.resolve("install-" + VERSION);
            this.data = root.resolve("data");
            this.credentialsFile = root.resolve("credentials.properties");
            this.progress = progress;
            this.asRoot = Integer.valueOf(0).equals(Files.getAttribute(Path.of("/proc/self"), "unix:uid"));
            this.tag = "plane-postgres-"
                    + Integer.toHexString(root.toRealPath().toString().hashCode());
        }

        EmbeddedPostgres start(Path jar) throws IOException {
            GuardedProcess.endLeftovers(tag, STOP_GRACE);
            if (asRoot) {
                // The unprivileged user must reach binaries and data below, but need not list anything here.
                Files.setPosixFilePermissions(root, PosixFilePermissions.fromString("rwx--x--x"));
            }
            if (!Files.isDirectory(install)) {
                progress.accept("Unpacking PostgreSQL " + VERSION);
                unpack(jar);
            }
            if (!Files.exists(data.resolve("PG_VERSION")) || !Files.exists(credentialsFile)) {
                progress.accept("Creating the database cluster");
                initialise();
            }
            Properties credentials = readCredentials();
            progress.accept("Starting PostgreSQL");
            EmbeddedPostgres server = launch(credentials);
            try {
                createDatabaseWhenMissing(server.port, credentials);
            } catch (SQLException e) {
                server.close();
                throw new EmbeddedServerFailed("Cannot make the database: " + e.getMessage(), e);
            }
            return server;
        }

        private EmbeddedPostgres launch(Properties credentials) throws IOException {
            for (int attempt = 1; ; attempt++) {
                int port = wantedPort == ANY_PORT ? freePort() : wantedPort;
                Path log = root.resolve("postgres.log");
                GuardedProcess process = GuardedProcess.start(
                        "PostgreSQL",
                        unprivileged(
                                UNPRIVILEGED_ID,
                                List.of(
                                        program("postgres"),
                                        "-D",
                                        seen(data),
                                        "-p",
                                        Integer.toString(port),
                                        "-c",
                                        "listen_addresses=127.0.0.1",
                                        "-c",
                                        "unix_socket_directories=",
                                        "-c",
                                        "cluster_name=" + tag,
                                        "-c",
                                        "max_connections=80",
                                        "-c",
                                        "shared_buffers=128MB",
                                        "-c",
                                        "autovacuum_naptime=10s",
                                        // At full speed the default is full in fourteen seconds, and each checkpoint
                                        // makes the
                                        // next write of each page a whole page of log.
                                        "-c",
                                        "max_wal_size=2GB",
                                        "-c",
                                        "dynamic_shared_memory_type=mmap")),
                        // INT is PostgreSQL's fast shutdown: sessions are ended and a checkpoint is written.
                        "INT",
                        STOP_GRACE,
                        log,
                        environment());
                try {
                    process.awaitReady(() -> serves(port, credentials), START_LIMIT);
                    return new EmbeddedPostgres(process, port, credentials);
                } catch (EmbeddedServerFailed e) {
                    process.stop();
                    // Between finding the port free and binding it, somebody else may have taken it.
                    if (attempt == PORT_ATTEMPTS_MAX || !Files.readString(log).contains("could not bind")) {
                        throw e;
                    }
                }
            }
        }

        private static boolean serves(int port, Properties credentials) {
            try (Connection connection = connect(port, SUPERUSER, credentials, SUPERUSER)) {
                return connection.isValid(5);
            } catch (SQLException e) {
                return false;
            }
        }

        private static void createDatabaseWhenMissing(int port, Properties credentials) throws SQLException {
            try (Connection connection = connect(port, SUPERUSER, credentials, SUPERUSER);
                    Statement statement = connection.createStatement()) {
                if (isEmpty(statement, "SELECT 1 FROM pg_roles WHERE rolname = '" + USER + "'")) {
                    // The password is hexadecimal, made here: nothing to escape.
                    statement.execute(
                            "CREATE ROLE " + USER + " LOGIN PASSWORD '" + credentials.getProperty(USER) + "'");
                }
                if (isEmpty(statement, "SELECT 1 FROM pg_database WHERE datname = '" + DATABASE + "'")) {
                    statement.execute("CREATE DATABASE " + DATABASE + " OWNER " + USER);
                }
            }
        }

        private static boolean isEmpty(Statement statement, String query) throws SQLException {
            try (var rows = statement.executeQuery(query)) {
                return !rows.next();
            }
        }

        private void initialise() throws IOException {
            // A half-made cluster has no credentials file: it never served, so nothing is lost with it.
            PrivateFiles.deleteTree(data);
            Files.createDirectory(data);
            Files.setPosixFilePermissions(data, PosixFilePermissions.fromString("rwx------"));
            var credentials = new Properties();
            credentials.setProperty(SUPERUSER, newPassword());
            credentials.setProperty(USER, newPassword());
            Path passwordFile = root.resolve("initdb-password");
            PrivateFiles.write(passwordFile, credentials.getProperty(SUPERUSER) + "\n");
            try {
                int maker = asRoot ? anyAccount() : 0;
                giveTo(maker, data);
                giveTo(maker, passwordFile);
                List<String> command = List.of(
                        program("initdb"),
                        "-D",
                        seen(data),
                        "-U",
                        SUPERUSER,
                        "-A",
                        "scram-sha-256",
                        "--pwfile=" + seen(passwordFile),
                        "-E",
                        "UTF8",
                        "--locale=C.UTF-8",
                        // PostgreSQL's own: compares keys by their bytes, which the C library's of the same name is
                        // asked to do.
                        "--locale-provider=builtin",
                        "--builtin-locale=C.UTF-8",
                        "--data-checksums");
                if (asRoot) {
                    initdb(unprivileged(maker, command));
                } else {
                    initdbWithAName(command);
                }
                try (Stream<Path> made = Files.walk(data)) {
                    for (Path file : made.toList()) {
                        giveTo(UNPRIVILEGED_ID, file);
                    }
                }
            } finally {
                Files.deleteIfExists(passwordFile);
            }
            var text = new StringWriter();
            credentials.store(text, "Passwords of the embedded PostgreSQL. Keep private.");
            PrivateFiles.write(credentialsFile, text.toString());
        }

        private void initdb(List<String> command) {
            GuardedProcess.start("initdb", command, "TERM", STOP_GRACE, root.resolve("initdb.log"), environment())
                    .awaitEnd(INIT_LIMIT);
        }

        /** In containers the user is often a number without an account; then a user namespace lends it one's name. */
        private void initdbWithAName(List<String> command) throws IOException {
            try {
                initdb(command);
            } catch (EmbeddedServerFailed e) {
                if (!Files.readString(root.resolve("initdb.log")).contains("could not look up effective user ID")) {
                    throw e;
                }
                String id = Integer.toString(anyAccount());
                var inNamespace =
                        new ArrayList<>(List.of("unshare", "--user", "--map-user=" + id, "--map-group=" + id));
                inNamespace.addAll(command);
                initdb(inNamespace);
            }
        }

        private Properties readCredentials() throws IOException {
            var credentials = new Properties();
            credentials.load(new StringReader(Files.readString(credentialsFile)));
            if (credentials.getProperty(SUPERUSER) == null || credentials.getProperty(USER) == null) {
                throw new EmbeddedServerFailed(
                        credentialsFile + " holds no passwords. Restore it from a copy; without it" + " the data in "
                                + data + " cannot be opened.");
            }
            return credentials;
        }

        private void giveTo(int id, Path file) throws IOException {
            if (asRoot) {
                Files.setAttribute(file, "unix:uid", id, LinkOption.NOFOLLOW_LINKS);
                Files.setAttribute(file, "unix:gid", id, LinkOption.NOFOLLOW_LINKS);
            }
        }

        /**
         * The server runs under a number alone, but {@code initdb} insists on a user with a name. It is lent one for its
         * two seconds; afterwards the data belongs to a number that no account of the machine shares.
         */
        private static int anyAccount() throws IOException {
            List<String[]> accounts = Files.readAllLines(Path.of("/etc/passwd")).stream()
                    .map(line -> line.split(":", -1))
                    .filter(fields -> fields.length > 2 && !fields[2].equals("0"))
                    .toList();
            return accounts.stream()
                    .filter(fields -> fields[0].equals("nobody"))
                    .findFirst()
                    .or(() -> accounts.stream().findFirst())
                    .map(fields -> Integer.parseInt(fields[2]))
                    .orElseThrow(
                            () -> new EmbeddedServerFailed(
                                    "initdb needs a user with a name, and there is none but root in"
                                            + " /etc/passwd. Add an account, or name a PostgreSQL of your own with --postgres."));
        }

        private String program(String name) {
            return seen(install.resolve("bin").resolve(name));
        }

        /** The path under which the server sees a file of ours. */
        private String seen(Path file) {
            return asRoot && !reachableByOthers(root)
                    ? Path.of(BOUND).resolve(root.relativize(file)).toString()
                    : file.toString();
        }

        private List<String> unprivileged(int id, List<String> command) {
            if (!asRoot) {
                return command;
            }
            var full = new ArrayList<String>();
            if (!reachableByOthers(root)) {
                // For instance below /root, which is closed to everyone else. The server gets a mount namespace of its
                // own where only this folder is bound to a reachable place; the mount goes when the process goes.
                full.addAll(List.of(
                        "unshare",
                        "--mount",
                        "--propagation",
                        "private",
                        "sh",
                        "-c",
                        "mount --bind \"$1\" \"$2\" && cd / && shift 2 && exec \"$@\"",
                        "plane-bind",
                        root.toString(),
                        BOUND));
            }
            full.addAll(List.of(
                    "setpriv",
                    "--reuid",
                    Integer.toString(id),
                    "--regid",
                    Integer.toString(id),
                    "--clear-groups",
                    "--no-new-privs",
                    "--inh-caps=-all",
                    "--bounding-set=-all"));
            full.addAll(command);
            return full;
        }

        private static boolean reachableByOthers(Path folder) {
            for (Path at = folder; at != null; at = at.getParent()) {
                try {
                    if (!Files.getPosixFilePermissions(at).contains(PosixFilePermission.OTHERS_EXECUTE)) {
                        return false;
                    }
                } catch (IOException e) {
                    return false;
                }
            }
            return true;
        }

        private static Map<String, String> environment() {
            return Map.of(
                    "PATH",
                    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    "LC_ALL",
                    "C.UTF-8",
                    "TZ",
                    "UTC");
        }

        private static String newPassword() {
            byte[] bytes = new byte[24];
            new SecureRandom().nextBytes(bytes);
            return HexFormat.of().formatHex(bytes);
        }

        private void unpack(Path jar) throws IOException {
            Path fresh = root.resolve("install-" + VERSION + ".new");
            PrivateFiles.deleteTree(fresh);
            try (var zip = new ZipFile(jar.toFile())) {
                ZipEntry archive = zip.stream()
                        .filter(entry -> entry.getName().endsWith(".txz"))
                        .findFirst()
                        .orElseThrow(() -> new EmbeddedServerFailed("No .txz in " + jar + ": not the expected jar"));
                try (InputStream raw = new BufferedInputStream(zip.getInputStream(archive));
                        var tar = new TarArchiveInputStream(new XZCompressorInputStream(raw))) {
                    for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                        unpack(tar, entry, fresh);
                    }
                }
            }
            // Only a complete tree gets the name that later starts look for.
            Files.move(fresh, install, StandardCopyOption.ATOMIC_MOVE);
        }

        private static void unpack(InputStream content, TarArchiveEntry entry, Path into) throws IOException {
            Path target = into.resolve(entry.getName()).normalize();
            if (!target.startsWith(into)) {
                throw new EmbeddedServerFailed("The PostgreSQL archive names a path outside: " + entry.getName());
            }
            if (entry.isDirectory()) {
                createDirectories(target, into);
                return;
            }
            createDirectories(target.getParent(), into);
            if (entry.isSymbolicLink()) {
                Files.createSymbolicLink(target, Path.of(entry.getLinkName()));
                return;
            }
            Files.copy(content, target);
            Files.setPosixFilePermissions(
                    target, PosixFilePermissions.fromString((entry.getMode() & 0100) == 0 ? "rw-r--r--" : "rwxr-xr-x"));
        }

        private static void createDirectories(@Nullable Path folder, Path into) throws IOException {
            if (folder == null || Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
                return;
            }
            if (!folder.equals(into)) {
                createDirectories(folder.getParent(), into);
            }
            // Explicit, because a strict umask would close them to the unprivileged user.
            Files.createDirectory(folder);
            Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
    }
}
