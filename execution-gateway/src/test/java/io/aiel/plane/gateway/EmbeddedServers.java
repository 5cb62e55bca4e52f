package io.aiel.plane.gateway;

import io.aiel.plane.gateway.embedded.DataDirectoryLock;
import io.aiel.plane.gateway.embedded.EmbeddedKafka;
import io.aiel.plane.gateway.embedded.EmbeddedLibraries;
import io.aiel.plane.gateway.embedded.EmbeddedPostgres;
import io.quarkus.test.common.QuarkusTestResourceLifecycleManager;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * The real PostgreSQL and the real Kafka for tests: {@code @QuarkusTestResource(EmbeddedServers.class)}.
 *
 * <p>Both start once per JVM with an empty database and are stopped when the JVM ends, because Quarkus makes a new
 * instance (in a new class loader) at each restart. With the argument {@code kafka=false} only PostgreSQL starts.
 */
public final class EmbeddedServers implements QuarkusTestResourceLifecycleManager {
    private static final String STARTED_POSTGRES = "plane.test.started-postgres";
    private static final String STARTED_KAFKA = "plane.test.started-kafka";
    private static final Path FOLDER = Path.of("target", "embedded-servers").toAbsolutePath();

    private boolean withKafka = true;

    @Override
    public void init(Map<String, String> arguments) {
        withKafka = Boolean.parseBoolean(arguments.getOrDefault("kafka", "true"));
    }

    @Override
    public Map<String, String> start() {
        return settings(withKafka);
    }

    /**
     * Starts what is missing; also for tests that do without Quarkus.
     *
     * @param withKafka whether Kafka is wanted beside PostgreSQL
     * @return the settings that name the servers
     */
    public static Map<String, String> settings(boolean withKafka) {
        // System properties are the one place that all class loaders of this JVM share.
        synchronized (System.getProperties()) {
            var settings = new HashMap<String, String>();
            settings.put("plane.data-dir", FOLDER.resolve("data").toString());
            settings.putAll(postgresSettings());
            if (withKafka) {
                settings.put("kafka.bootstrap.servers", kafkaBootstrapServers());
            }
            return Map.copyOf(settings);
        }
    }

    private static Map<String, String> postgresSettings() {
        if (System.getProperty(STARTED_POSTGRES) == null) {
            var lock = DataDirectoryLock.acquire(FOLDER);
            var postgres = EmbeddedPostgres.start(FOLDER.resolve("postgres"), libraries(), EmbeddedServers::say);
            atExit("stop-test-postgres", () -> {
                postgres.close();
                lock.close();
            });
            postgres.recreateDatabase();
            System.setProperty(
                    STARTED_POSTGRES,
                    String.join(
                            "\n", postgres.jdbcUrl(), postgres.reactiveUrl(), postgres.user(), postgres.password()));
        }
        String[] values = System.getProperty(STARTED_POSTGRES).split("\n", -1);
        return Map.of(
                "quarkus.datasource.jdbc.url",
                values[0],
                "quarkus.datasource.reactive.url",
                values[1],
                "quarkus.datasource.username",
                values[2],
                "quarkus.datasource.password",
                values[3]);
    }

    private static String kafkaBootstrapServers() {
        if (System.getProperty(STARTED_KAFKA) == null) {
            // Inside the folder that PostgreSQL's lock covers.
            var kafka = EmbeddedKafka.start(FOLDER.resolve("kafka"), libraries(), EmbeddedServers::say);
            atExit("stop-test-kafka", kafka::close);
            System.setProperty(STARTED_KAFKA, kafka.bootstrapServers());
        }
        return System.getProperty(STARTED_KAFKA);
    }

    /** The folder with the servers' jars, made by the module {@code embedded-servers}. */
    public static EmbeddedLibraries libraries() {
        return new EmbeddedLibraries(
                Path.of(System.getProperty(EmbeddedLibraries.PROPERTY, "embedded/target/embedded")));
    }

    @Override
    public void stop() {
        // The servers outlive one application: see atExit.
    }

    private static void atExit(String name, Runnable stop) {
        Runtime.getRuntime().addShutdownHook(new Thread(stop, name));
    }

    @SuppressWarnings("SystemOut") // Progress of the build, before any logging exists.
    private static void say(String line) {
        System.out.println("[embedded servers] " + line);
    }
}
