package io.aiel.plane.gateway.embedded;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.Uuid;

/**
 * A real Kafka broker (KRaft, one node) as a child JVM, with its log in a folder of ours.
 *
 * <p>It listens on 127.0.0.1 at free ports, differently at each start unless a port is named. The caller holds a {@link DataDirectoryLock} on a
 * folder above. Starting and stopping block; use no event loop.
 */
public final class EmbeddedKafka implements AutoCloseable {
    /** Where the records of the audit log travel. */
    public static final String AUDIT_TOPIC = "plane.audit.v1";

    /** Where usage and metrics events travel. */
    public static final String TELEMETRY_TOPIC = "plane.telemetry.v1";

    /** The environment variable with further options of the broker's JVM; they take the place of its start-up cache. */
    private static final String JAVA_OPTIONS = "PLANE_KAFKA_JAVA_OPTIONS";

    private static final int PARTITIONS = 4;
    private static final Duration FORMAT_LIMIT = Duration.ofMinutes(2);
    private static final Duration START_LIMIT = Duration.ofMinutes(2);
    private static final Duration STOP_GRACE = Duration.ofSeconds(20);
    private static final int ADMIN_LIMIT_SECONDS = 60;
    private static final int PORT_ATTEMPTS_MAX = 3;
    private static final int ANY_PORT = 0;

    private final GuardedProcess process;
    private final int port;

    private EmbeddedKafka(GuardedProcess process, int port) {
        this.process = process;
        this.port = port;
    }

    /**
     * Formats the log when needed, starts the broker and makes the topics when they are missing.
     *
     * @param folder where the log and the configuration live
     * @param libraries where the broker's jars are
     * @param progress receives a short line before each slow step
     * @return the running broker, with its topics
     * @throws EmbeddedServerFailed when any step fails
     */
    public static EmbeddedKafka start(Path folder, EmbeddedLibraries libraries, Consumer<String> progress) {
        return start(folder, libraries, ANY_PORT, progress);
    }

    /**
     * The same at a port of the caller's choice, so that clients find it again after a restart.
     *
     * @param folder where the log and the configuration live
     * @param libraries where the broker's jars are
     * @param port where to listen on 127.0.0.1; 0 for any that is free
     * @param progress receives a short line before each slow step
     * @return the running broker, with its topics
     * @throws EmbeddedServerFailed when any step fails
     */
    public static EmbeddedKafka start(Path folder, EmbeddedLibraries libraries, int port, Consumer<String> progress) {
        Path root = folder.toAbsolutePath().normalize();
        try {
            Files.createDirectories(root);
            String tag = "plane-kafka-"
                    + Integer.toHexString(root.toRealPath().toString().hashCode());
            GuardedProcess.endLeftovers(tag, STOP_GRACE);
            for (int attempt = 1; ; attempt++) {
                try {
                    return startOnce(root, libraries, tag, port, progress);
                } catch (EmbeddedServerFailed e) {
                    // Between finding a port free and binding it, somebody else may have taken it.
                    if (attempt == PORT_ATTEMPTS_MAX
                            || !Files.readString(root.resolve("kafka.log")).contains("Address already in use")) {
                        throw e;
                    }
                }
            }
        } catch (IOException e) {
            throw new EmbeddedServerFailed("Cannot prepare Kafka in " + root + ": " + e, e);
        }
    }

    private static EmbeddedKafka startOnce(
            Path root, EmbeddedLibraries libraries, String tag, int wantedPort, Consumer<String> progress)
            throws IOException {
        int port = wantedPort == ANY_PORT ? EmbeddedPostgres.freePort() : wantedPort;
        int controllerPort = EmbeddedPostgres.freePort();
        Path data = root.resolve("data");
        Path configuration = root.resolve("server.properties");
        Files.writeString(configuration, configuration(port, controllerPort, data));
        if (!Files.exists(data.resolve("meta.properties"))) {
            progress.accept("Formatting the Kafka log");
            GuardedProcess.start(
                            "Kafka's storage tool",
                            java(
                                    libraries,
                                    tag,
                                    "kafka.tools.StorageTool",
                                    "format",
                                    "--ignore-formatted",
                                    "-t",
                                    Uuid.randomUuid().toString(),
                                    "-c",
                                    configuration.toString()),
                            "TERM",
                            STOP_GRACE,
                            root.resolve("format.log"),
                            environment())
                    .awaitEnd(FORMAT_LIMIT);
        }
        progress.accept("Starting Kafka");
        GuardedProcess process = GuardedProcess.start(
                "Kafka",
                java(libraries, tag, "kafka.Kafka", configuration.toString()),
                "TERM",
                STOP_GRACE,
                root.resolve("kafka.log"),
                environment());
        try {
            process.awaitReady(() -> accepts(port), START_LIMIT);
            createTopics("127.0.0.1:" + port);
            return new EmbeddedKafka(process, port);
        } catch (EmbeddedServerFailed e) {
            process.stop();
            throw e;
        }
    }

    /**
     * The address for clients.
     *
     * @return host and port
     */
    public String bootstrapServers() {
        return "127.0.0.1:" + port;
    }

    /**
     * Whether the broker process runs.
     *
     * @return false after a stop or a crash
     */
    public boolean isRunning() {
        return process.isAlive();
    }

    /** Flushes the log and stops; kills after a grace period. Safe to call again. */
    @Override
    public void close() {
        process.stop();
    }

    private static boolean accepts(int port) {
        try (var socket = new Socket()) {
            socket.connect(new InetSocketAddress(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), port), 500);
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    private static void createTopics(String bootstrapServers) {
        try (Admin admin = Admin.create(Map.of(
                AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG,
                bootstrapServers,
                AdminClientConfig.DEFAULT_API_TIMEOUT_MS_CONFIG,
                ADMIN_LIMIT_SECONDS * 1000))) {
            Set<String> existing = admin.listTopics().names().get(ADMIN_LIMIT_SECONDS, TimeUnit.SECONDS);
            List<NewTopic> missing = List.of(AUDIT_TOPIC, TELEMETRY_TOPIC).stream()
                    .filter(name -> !existing.contains(name))
                    .map(name -> new NewTopic(name, Optional.of(PARTITIONS), Optional.empty()))
                    .toList();
            admin.createTopics(missing).all().get(ADMIN_LIMIT_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            throw new EmbeddedServerFailed("Kafka started but its topics could not be made: " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new EmbeddedServerFailed("Interrupted while making Kafka's topics", e);
        }
    }

    private static List<String> java(EmbeddedLibraries libraries, String tag, String mainClass, String... arguments) {
        var command = new ArrayList<String>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xms32m",
                "-Xmx192m",
                "-Xss512k",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-XX:+ExitOnOutOfMemoryError",
                "--enable-native-access=ALL-UNNAMED",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-Dorg.slf4j.simpleLogger.showDateTime=true",
                "-Dplane.tag=" + tag));
        String more = System.getenv(JAVA_OPTIONS);
        if (more != null && !more.isBlank()) {
            command.addAll(List.of(more.strip().split("\\s+")));
        } else {
            libraries
                    .kafkaStartUpCache()
                    .ifPresent(cache ->
                            command.addAll(List.of("-XX:AOTCache=" + cache, "-Xlog:aot*=off", "-Xlog:cds*=off")));
        }
        command.addAll(List.of("-cp", libraries.kafkaClassPath(), mainClass));
        command.addAll(List.of(arguments));
        return command;
    }

    private static Map<String, String> environment() {
        return Map.of("PATH", "/usr/local/bin:/usr/bin:/bin", "LC_ALL", "C.UTF-8", "TZ", "UTC");
    }

    /**
     * The session is short because a broker that starts again waits for the end of its predecessor's: with the usual nine seconds that
     * was most of a start. One that was frozen for longer is let in again with its next heartbeat.
     */
    private static String configuration(int port, int controllerPort, Path data) {
        return """
               process.roles=broker,controller
               node.id=1
               controller.quorum.voters=1@127.0.0.1:%2$d
               listeners=PLAINTEXT://127.0.0.1:%1$d,CONTROLLER://127.0.0.1:%2$d
               advertised.listeners=PLAINTEXT://127.0.0.1:%1$d
               controller.listener.names=CONTROLLER
               listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
               log.dirs=%3$s
               auto.create.topics.enable=false
               default.replication.factor=1
               min.insync.replicas=1
               offsets.topic.replication.factor=1
               offsets.topic.num.partitions=1
               transaction.state.log.replication.factor=1
               transaction.state.log.min.isr=1
               transaction.state.log.num.partitions=1
               share.coordinator.state.topic.replication.factor=1
               share.coordinator.state.topic.min.isr=1
               share.coordinator.state.topic.num.partitions=1
               group.initial.rebalance.delay.ms=0
               controlled.shutdown.enable=false
               broker.heartbeat.interval.ms=500
               broker.session.timeout.ms=2000
               num.network.threads=2
               num.io.threads=4
               background.threads=2
               log.cleaner.dedupe.buffer.size=4194304
               log.segment.bytes=67108864
               """.formatted(port, controllerPort, escaped(data));
    }

    /** A properties file reads the backslash as an escape. */
    private static String escaped(Path path) {
        return path.toString().replace("\\", "\\\\");
    }
}
