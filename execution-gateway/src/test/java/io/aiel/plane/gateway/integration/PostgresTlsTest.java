package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.gateway.EmbeddedServers;
import io.aiel.plane.hydrator.egress.CheckedResolver;
import io.vertx.core.Vertx;
import io.vertx.core.net.NetServer;
import io.vertx.core.net.NetServerOptions;
import io.vertx.core.net.PfxOptions;
import java.io.IOException;
import java.io.InputStream;
import java.io.Reader;
import java.net.InetAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.sql.Connection;
import java.sql.Driver;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * TLS to a real PostgreSQL with a real certificate: the connection goes to the address that was checked, while the certificate is held against the
 * name.
 */
class PostgresTlsTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final Path POSTGRES = Path.of("target", "embedded-servers", "postgres");
    private static final String PASSWORD = "changeit";
    private static final String KEY_FILE = "tls-test.key";
    private static final String CERTIFICATE_FILE = "tls-test.crt";
    private static final String NAME = "db.test";

    @TempDir
    static Path folder;

    private static Vertx vertx = Vertx.vertx();
    private static Map<String, String> server = Map.of();
    private static String trusted = "";
    private static String stranger = "";

    private final List<String> resolved = new CopyOnWriteArrayList<>();
    private PostgresActionRunner runner = runner();

    @BeforeAll
    static void giveTheServerACertificate() throws Exception {
        server = EmbeddedServers.settings(false);
        trusted = certificate("server", NAME);
        stranger = certificate("stranger", NAME);
        Path data = POSTGRES.resolve("data");
        install(data.resolve(CERTIFICATE_FILE), trusted);
        install(data.resolve(KEY_FILE), privateKey("server"));
    }

    @AfterAll
    static void stop() throws Exception {
        speakTls(false);
        vertx.close().toCompletionStage().toCompletableFuture().join();
    }

    @BeforeEach
    void start() {
        runner = runner();
    }

    @AfterEach
    void close() {
        runner.close();
    }

    private PostgresActionRunner runner() {
        Set<String> names = Set.of(NAME, "other.test", "localhost");
        return new PostgresActionRunner(
                vertx,
                new CheckedResolver(
                        name -> {
                            resolved.add(name);
                            return new InetAddress[] {InetAddress.ofLiteral("127.0.0.1")};
                        },
                        names,
                        LIMIT),
                TestSettings.of(names, LIMIT, 100_000, 0));
    }

    /** A certificate of its own authority, as PEM. */
    private static String certificate(String file, String name) throws Exception {
        Path store = folder.resolve(file + ".p12");
        Path pem = folder.resolve(file + ".pem");
        keytool(List.of("-genkeypair", "-keyalg", "EC", "-dname", "CN=" + name, "-ext", "SAN=dns:" + name), store);
        keytool(List.of("-exportcert", "-rfc", "-file", pem.toString()), store);
        return Files.readString(pem);
    }

    private static void keytool(List<String> arguments, Path store) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString()));
        command.addAll(arguments);
        command.addAll(List.of(
                "-alias", "server", "-storetype", "PKCS12", "-keystore", store.toString(), "-storepass", PASSWORD));
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        assertThat(process.waitFor()).isZero();
    }

    private static String privateKey(String file) throws IOException, GeneralSecurityException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(folder.resolve(file + ".p12"))) {
            store.load(in, PASSWORD.toCharArray());
        }
        byte[] key = store.getKey("server", PASSWORD.toCharArray()).getEncoded();
        return "-----BEGIN PRIVATE KEY-----\n"
                + Base64.getMimeEncoder(64, "\n".getBytes(StandardCharsets.US_ASCII))
                        .encodeToString(key)
                + "\n-----END PRIVATE KEY-----\n";
    }

    /** For the server alone, which runs as the owner of its data and insists on that. */
    private static void install(Path file, String text) throws IOException {
        Files.writeString(file, text);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
        Files.setOwner(file, Files.getOwner(file.resolveSibling("PG_VERSION")));
    }

    private static Connection administrator() throws SQLException, IOException {
        Properties passwords = new Properties();
        try (Reader file = Files.newBufferedReader(POSTGRES.resolve("credentials.properties"))) {
            passwords.load(file);
        }
        Properties login = new Properties();
        login.setProperty("user", "postgres");
        login.setProperty("password", passwords.getProperty("postgres"));
        return ServiceLoader.load(Driver.class)
                .findFirst()
                .orElseThrow()
                .connect(String.valueOf(server.get("quarkus.datasource.jdbc.url")), login);
    }

    /** The setting is the running server's: connections that there are stay as they are. */
    private static void speakTls(boolean wanted) throws SQLException, IOException {
        try (Connection connection = administrator();
                Statement statement = connection.createStatement()) {
            statement.execute("alter system set ssl_cert_file = '" + CERTIFICATE_FILE + "'");
            statement.execute("alter system set ssl_key_file = '" + KEY_FILE + "'");
            statement.execute(wanted ? "alter system set ssl = on" : "alter system reset ssl");
            statement.execute("select pg_reload_conf()");
        }
        long until = System.nanoTime() + LIMIT.toNanos();
        String now = "";
        while (!now.equals(wanted ? "on" : "off") && System.nanoTime() < until) {
            try (Connection connection = administrator();
                    Statement statement = connection.createStatement();
                    ResultSet found = statement.executeQuery("show ssl")) {
                found.next();
                now = found.getString(1);
            }
        }
        assertThat(now).isEqualTo(wanted ? "on" : "off");
    }

    private ActionResult ask(String host, Map<String, ?> settings) {
        URI address = URI.create(String.valueOf(server.get("quarkus.datasource.reactive.url")));
        Map<String, Object> all = new LinkedHashMap<>(Map.of(
                "host", host,
                "port", address.getPort(),
                "database", address.getPath().substring(1),
                "user", String.valueOf(server.get("quarkus.datasource.username"))));
        all.putAll(settings);
        return runner.run(new ActionRequest(
                        Calls.PROJECT,
                        "conn_1",
                        "postgres",
                        "postgres.query",
                        JSON.valueToTree(all),
                        JSON.valueToTree(Map.of("password", String.valueOf(server.get("quarkus.datasource.password")))),
                        JSON.valueToTree(Map.of(
                                "sql", "select ssl, version from pg_catalog.pg_stat_ssl where pid = pg_backend_pid()")),
                        LIMIT,
                        Optional.empty(),
                        Deltas.NOBODY))
                .await()
                .atMost(LIMIT.plusSeconds(5));
    }

    private static void assertRefused(ActionResult result) {
        assertThat(result).as(result.toString()).isInstanceOfSatisfying(ActionResult.Refused.class, refused -> {
            assertThat(refused.code()).isEqualTo("unreachable");
            assertThat(refused.message()).contains("certificate is not trusted");
        });
    }

    @Test
    void goesToTheCheckedAddressAndVerifiesTheName() throws Exception {
        speakTls(true);

        ActionResult result = ask(NAME, Map.of("ca", trusted));

        assertThat(result).as(result.toString()).isInstanceOfSatisfying(ActionResult.Done.class, done -> {
            assertThat(done.result().at("/rows/0/ssl").asBoolean()).isTrue();
            assertThat(done.result().at("/rows/0/version").asText()).startsWith("TLSv1.");
        });
        assertThat(resolved).containsExactly(NAME);
    }

    /** Whoever may tell where a name leads may not thereby be that name. Seen to fail: when any name will do. */
    @ParameterizedTest
    @CsvSource({"other.test", "localhost"})
    void refusesACertificateForAnotherName(String host) throws Exception {
        speakTls(true);

        assertRefused(ask(host, Map.of("ca", trusted)));
    }

    @Test
    void refusesACertificateOfSomebodyWhoIsNotTrusted() throws Exception {
        speakTls(true);

        assertRefused(ask(NAME, Map.of("ca", stranger)));
        // And with what Java trusts, which this is not either.
        assertRefused(ask(NAME, Map.of()));
    }

    /** The guard sees what was decrypted. Seen to fail: without the scan. */
    @Test
    void hashesNoPasswordAMillionTimesBehindTlsEither() throws Exception {
        PfxOptions identity = new PfxOptions()
                .setPath(folder.resolve("server.p12").toString())
                .setPassword(PASSWORD);
        AtomicInteger asked = new AtomicInteger();
        NetServer hostile = vertx.createNetServer(new NetServerOptions().setKeyCertOptions(identity))
                .connectHandler(socket -> socket.handler(bytes -> {
                    if (socket.isSsl()) {
                        asked.incrementAndGet();
                        socket.write(PostgresActionRunnerTest.scramAnswer(bytes, "2147483647"));
                    } else {
                        socket.write("S");
                        socket.upgradeToSsl();
                    }
                }));
        try {
            int port = hostile.listen(0, "127.0.0.1")
                    .toCompletionStage()
                    .toCompletableFuture()
                    .get(LIMIT.toSeconds(), TimeUnit.SECONDS)
                    .actualPort();

            assertRefused(ask(NAME, Map.of("ca", trusted, "port", port)));
            assertThat(asked).hasValue(2);
            // Each time on another of the loops, none of which is busy.
            assertRefused(ask(NAME, Map.of("ca", trusted, "port", port)));
            assertRefused(ask(NAME, Map.of("ca", trusted, "port", port)));
            assertThat(asked).hasValue(6);
        } finally {
            hostile.close();
        }
    }

    @Test
    void doesNotDoWithoutTlsWhereTheServerHasNone() throws Exception {
        speakTls(false);

        assertRefused(ask(NAME, Map.of("ca", trusted)));
        assertThat(ask(NAME, Map.of("ssl", "disable"))).isInstanceOf(ActionResult.Done.class);
    }
}
