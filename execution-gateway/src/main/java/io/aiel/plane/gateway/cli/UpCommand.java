package io.aiel.plane.gateway.cli;

import io.aiel.plane.gateway.embedded.DataDirectoryLock;
import io.aiel.plane.gateway.embedded.EmbeddedKafka;
import io.aiel.plane.gateway.embedded.EmbeddedLibraries;
import io.aiel.plane.gateway.embedded.EmbeddedPostgres;
import io.quarkus.runtime.Quarkus;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Reader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(
        name = "up",
        description =
                "Starts the server, with PostgreSQL and Kafka of its own unless real ones are named. Stop: Ctrl-C.")
final class UpCommand implements Callable<Integer> {
    /** Longer than the server may take to drain, and then some for the two embedded servers. */
    private static final Duration DRAIN_LIMIT = Duration.ofSeconds(60);

    private static final List<String> TIERS = List.of("auto", "gvisor", "namespaces", "restricted", "none");

    /** The log category in which the workers' preparation tells its steps. */
    private static final String PROGRESS = "io.aiel.plane.gateway.app.HydratorAssembly";

    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Option(names = "--port", description = "The HTTP port on the loopback address (default: ${DEFAULT-VALUE}).")
    private int port = 8080;

    @Option(names = "--grpc-port", description = "The gRPC port on the loopback address (default: 9090).")
    private @Nullable Integer grpcPort;

    @Option(names = "--data", paramLabel = "DIR", description = "Where all state lives (default: .plane).")
    private @Nullable Path data;

    @Option(
            names = "--postgres",
            paramLabel = "URL",
            description = "Use this PostgreSQL: postgresql://user@host:5432/database; password in PGPASSWORD.")
    private @Nullable String postgres;

    @Option(names = "--kafka", paramLabel = "BOOTSTRAP", description = "Use this Kafka: host:port,host:port.")
    private @Nullable String kafka;

    @Option(
            names = "--isolation",
            paramLabel = "TIER",
            description = "auto (the usual one for strangers' code), gvisor, namespaces, restricted or none.")
    private String isolation = "auto";

    @Option(names = "--verbose", description = "Show the server's log on the terminal too.")
    private boolean verbose;

    private final Deque<Runnable> stops = new ArrayDeque<>();
    private final CountDownLatch quarkusEnded = new CountDownLatch(1);

    @Override
    public Integer call() throws Exception {
        PrintWriter out = spec.commandLine().getOut();
        var folder = DataFolder.of(Optional.ofNullable(data));
        if (!TIERS.contains(isolation)) {
            throw new CommandFailed("--isolation must be one of " + String.join(", ", TIERS) + ".");
        }
        requireFree("--port", port);
        if (grpcPort != null) {
            requireFree("--grpc-port", grpcPort);
        }
        Optional<Map<String, String>> outside =
                Optional.ofNullable(postgres).map(PostgresAddress::parse).map(UpCommand::tried);
        if (kafka != null) {
            OutsideServers.requireKafka(kafka);
        }
        push(DataDirectoryLock.acquire(folder.root())::close);
        Runtime.getRuntime().addShutdownHook(new Thread(this::stopAfterQuarkus, "plane-stop"));
        try {
            var settings = new HashMap<String, String>();
            settings.putAll(servers(folder, outside, out));
            if (kafka == null) {
                // A broker of our own has one reader: under a fixed name a new start takes over from a killed one at
                // once.
                settings.put("plane.audit.sink.instance-id", "embedded");
            }
            settings.put("plane.data-dir", folder.root().toString());
            if (outside.isEmpty()) {
                // Several servers of one database need one key, which then is the operator's to give; this one is
                // alone.
                settings.put("plane.registry.signing-key", folder.signingKey());
                settings.put("plane.callbacks.sealing-key", folder.sealingKey());
                if (!isSet("plane.integration.kek-file") && !isSet("plane.integration.transit.url")) {
                    settings.put("plane.integration.kek-file", folder.kekFile().toString());
                }
            }
            settings.put("plane.hydrator.isolation", isolation);
            settings.put("quarkus.http.port", Integer.toString(port));
            if (grpcPort != null) {
                settings.put("plane.grpc.port", Integer.toString(grpcPort));
            }
            settings.put("quarkus.log.file.enabled", "true");
            settings.put("quarkus.log.file.path", folder.logFile().toString());
            settings.put("quarkus.log.console.level", verbose ? "INFO" : "ERROR");
            if (!verbose) {
                // One line each; the stack traces are in the log.
                settings.put("quarkus.log.console.format", "%d{HH:mm:ss} %p %s (more in the log)%n");
                // The installation of the worker bundle takes a while: its steps are shown, without the log's clutter.
                settings.put("quarkus.log.handler.console.\"progress\".format", "%m%n");
                settings.put("quarkus.log.category.\"" + PROGRESS + "\".handlers", "progress");
            }
            SessionPrecedence.take(Path.of("/proc/self"));
            settings.forEach(System::setProperty);
            Files.createDirectories(folder.logFile().getParent());
            out.println("Starting the server");
            out.flush();
            return runQuarkus(folder);
        } finally {
            quarkusEnded.countDown();
        }
    }

    /** Whether the operator set it in one of the ways that the server will read. */
    private static boolean isSet(String setting) throws IOException {
        Path file = Path.of("config", "application.properties");
        Properties properties = new Properties();
        if (Files.isRegularFile(file)) {
            try (Reader in = Files.newBufferedReader(file)) {
                properties.load(in);
            }
        }
        String inEnvironment = setting.replace('.', '_').replace('-', '_').toUpperCase(Locale.ROOT);
        return System.getenv(inEnvironment) != null
                || System.getProperty(setting) != null
                || properties.containsKey(setting);
    }

    /** What the server needs to know of PostgreSQL and Kafka. Those of our own start side by side: each waits for the disk by itself. */
    private Map<String, String> servers(DataFolder folder, Optional<Map<String, String>> outside, PrintWriter out)
            throws InterruptedException {
        var settings = new HashMap<String, String>();
        try (ExecutorService beside = Executors.newThreadPerTaskExecutor(
                Thread.ofPlatform().name("plane-kafka-start").factory())) {
            // The end of the block waits for it, also when PostgreSQL fails meanwhile: then it is known what is to be
            // stopped.
            Future<String> broker = beside.submit(() -> kafka != null ? kafka : startKafka(folder, out));
            settings.putAll(outside.isPresent() ? outside.get() : startPostgres(folder, out));
            settings.put("kafka.bootstrap.servers", broker.get());
        } catch (ExecutionException e) {
            throw e.getCause() instanceof RuntimeException failed ? failed : new IllegalStateException(e.getCause());
        }
        return settings;
    }

    private int runQuarkus(DataFolder folder) {
        Server.prepare(folder, "http://127.0.0.1:" + port, spec.commandLine().getOut());
        var code = new int[] {0};
        Quarkus.run(Server.class, (exitCode, failure) -> {
            code[0] = failure != null && exitCode == 0 ? 1 : exitCode;
            if (failure != null) {
                PrintWriter err = spec.commandLine().getErr();
                err.println("plane: the server could not start: " + rootCause(failure));
                err.println("  The log is " + folder.logFile());
                err.flush();
            }
        });
        return code[0];
    }

    private static Map<String, String> tried(PostgresAddress address) {
        Map<String, String> settings = address.settings(System.getenv());
        OutsideServers.requirePostgres(address, settings);
        return settings;
    }

    private Map<String, String> startPostgres(DataFolder folder, PrintWriter out) {
        var server = EmbeddedPostgres.start(
                folder.postgres(), EmbeddedLibraries.fromSystemProperty(), line -> say(out, line));
        push(server::close);
        return Map.of(
                "quarkus.datasource.jdbc.url",
                server.jdbcUrl(),
                "quarkus.datasource.reactive.url",
                server.reactiveUrl(),
                "quarkus.datasource.username",
                server.user(),
                "quarkus.datasource.password",
                server.password());
    }

    private String startKafka(DataFolder folder, PrintWriter out) {
        var server =
                EmbeddedKafka.start(folder.kafka(), EmbeddedLibraries.fromSystemProperty(), line -> say(out, line));
        push(server::close);
        return server.bootstrapServers();
    }

    /** Runs as a hook of the JVM: Quarkus drains first, then its servers stop, the last started first. */
    private void stopAfterQuarkus() {
        try {
            quarkusEnded.await(DRAIN_LIMIT.toSeconds(), TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        for (Runnable stop = pop(); stop != null; stop = pop()) {
            stop.run();
        }
    }

    private void push(Runnable stop) {
        synchronized (stops) {
            stops.push(stop);
        }
    }

    private @Nullable Runnable pop() {
        synchronized (stops) {
            return stops.poll();
        }
    }

    private static void say(PrintWriter out, String line) {
        out.println(line);
        out.flush();
    }

    private static String rootCause(Throwable failure) {
        Throwable at = failure;
        while (at.getCause() != null) {
            at = at.getCause();
        }
        return at.getClass().getSimpleName() + ": " + at.getMessage();
    }

    /** Looked at first, because it is the commonest trouble and would otherwise show after half a minute. */
    private static void requireFree(String option, int port) throws IOException {
        if (port < 1 || port > 65_535) {
            throw new CommandFailed(option + " must be between 1 and 65535.");
        }
        try (var socket = new ServerSocket()) {
            socket.setReuseAddress(true);
            socket.bind(new InetSocketAddress(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}), port));
        } catch (IOException e) {
            throw new CommandFailed(
                    "Port " + port + " is in use or not allowed. Choose another with " + option + ".", e);
        }
    }
}
