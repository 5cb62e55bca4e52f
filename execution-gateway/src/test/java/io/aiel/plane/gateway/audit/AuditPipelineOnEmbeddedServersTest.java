package io.aiel.plane.gateway.audit;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.audit.OutboxRelay;
import io.aiel.plane.gateway.EmbeddedServers;
import io.aiel.plane.gateway.embedded.EmbeddedKafka;
import io.aiel.plane.gateway.embedded.PrivateFiles;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.CleanupMode;
import org.junit.jupiter.api.io.TempDir;

/** The contract on the embedded PostgreSQL and Kafka, and what needs a broker that may be killed. */
class AuditPipelineOnEmbeddedServersTest extends AuditPipelineContract {
    @Override
    AuditServers servers(String name) {
        Map<String, String> settings = EmbeddedServers.settings(true);
        return on(settings, name, settings.getOrDefault("kafka.bootstrap.servers", ""));
    }

    /** Seen failing when the relay marks rows before Kafka acknowledged them. */
    @Test
    void losesNothingWhenKafkaIsKilledAndComesBack(@TempDir(cleanup = CleanupMode.NEVER) Path folder) throws Exception {
        Process[] again = new Process[1];
        try (EmbeddedKafka kafka = EmbeddedKafka.start(folder, EmbeddedServers.libraries(), _ -> {});
                Closeable _ = () -> stop(again[0]);
                AuditServers own = on(EmbeddedServers.settings(false), "audit_kill", kafka.bootstrapServers())) {
            var outbox = own.outbox();
            Executions executions = new Executions(java.time.Clock.systemUTC());
            OutboxRelay relay = own.relay(outbox);
            own.sink(outbox);
            List<AuditRecord> written = new ArrayList<>(append(own, outbox, executions, 100));
            AuditServers.until("some are in the log", () -> own.count("SELECT count(*) FROM audit_events") > 0);

            ProcessHandle broker = brokerBelow(folder);
            List<String> command = commandLine(broker);
            assertThat(broker.destroyForcibly()).isTrue(); // SIGKILL
            broker.onExit().get(30, TimeUnit.SECONDS);

            written.addAll(append(own, outbox, executions, 100));
            AuditServers.until(
                    "the relay notices", () -> relay.status().trouble().isPresent());
            assertThat(own.count("SELECT count(*) FROM audit_outbox")).isGreaterThanOrEqualTo(400);
            assertThat(outbox.fill()).isGreaterThan(0);

            // The same broker on the same port and folder, as a supervisor would start it again.
            again[0] = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(folder.resolve("again.log").toFile())
                    .start();
            AuditServers.until("the outbox is empty", () -> own.count("SELECT count(*) FROM audit_outbox") == 0);
            assertThat(own.count("SELECT count(*) FROM audit_events")).isEqualTo(written.size());
            assertThat(own.rows("SELECT hash FROM audit_events").stream().map(row -> row.getString(0)))
                    .containsExactlyInAnyOrderElementsOf(written.stream()
                            .map(record -> record.hash().value())
                            .toList());
            AuditServers.until(
                    "the relay is well", () -> relay.status().trouble().isEmpty());
            assertThat(own.count("SELECT count(*) FROM audit_alarms WHERE kind <> 'gap'"))
                    .isZero();
        }
        // Not JUnit, which tries once: the last of a killed broker's files may go a moment after its process.
        AuditServers.until("the broker's folder can be removed", () -> removed(folder));
    }

    private static boolean removed(Path folder) {
        try {
            PrivateFiles.deleteTree(folder);
            return true;
        } catch (IOException _) {
            return false;
        }
    }

    /** Seen failing when the relay sends the whole batch before it looks: each send waits its full time then. */
    @Test
    void saysSoonThatThereIsNoKafkaAndStopsSoon() {
        try (AuditServers own = on(EmbeddedServers.settings(false), "audit_away", "127.0.0.1:1")) {
            var outbox = own.outbox();
            append(own, outbox, new Executions(java.time.Clock.systemUTC()), 50);

            OutboxRelay relay = own.relay(outbox);

            AuditServers.until(
                    "the relay says so", () -> relay.status().trouble().isPresent());
            long before = System.nanoTime();
            relay.close();
            assertThat(Duration.ofNanos(System.nanoTime() - before)).isLessThan(Duration.ofSeconds(20));
            assertThat(own.count("SELECT count(*) FROM audit_outbox WHERE published_at IS NULL"))
                    .isEqualTo(200);
        }
    }

    private static void stop(@Nullable Process process) {
        if (process == null) {
            return;
        }
        // At once: nothing of it is needed any more, and its folder can only be removed when it is gone.
        process.destroyForcibly();
        process.onExit().orTimeout(30, TimeUnit.SECONDS).join();
    }

    private static List<AuditRecord> append(
            AuditServers servers, io.aiel.plane.audit.PgOutbox outbox, Executions executions, int howMany) {
        List<AuditRecord> records = new ArrayList<>();
        for (int i = 0; i < howMany; i++) {
            records.addAll(executions.succeeded());
        }
        servers.pool
                .withTransaction(transaction -> outbox.append(transaction, records))
                .await()
                .atMost(AuditServers.LIMIT);
        outbox.committed();
        return records;
    }

    private static ProcessHandle brokerBelow(Path folder) {
        return ProcessHandle.current()
                .descendants()
                .filter(process -> {
                    List<String> command = commandLine(process);
                    return command.contains("kafka.Kafka") && command.getLast().startsWith(folder.toString());
                })
                .findFirst()
                .orElseThrow();
    }

    /** Not from {@link ProcessHandle.Info}, which has none when it is longer than a memory page: a class path below a long folder. */
    private static List<String> commandLine(ProcessHandle process) {
        try {
            String line = Files.readString(Path.of("/proc", Long.toString(process.pid()), "cmdline"));
            return List.of(line.split("\0"));
        } catch (IOException _) {
            return List.of("gone");
        }
    }

    private static AuditServers on(Map<String, String> settings, String name, String bootstrap) {
        return new AuditServers(
                name,
                settings.getOrDefault("quarkus.datasource.jdbc.url", ""),
                settings.getOrDefault("quarkus.datasource.username", ""),
                settings.getOrDefault("quarkus.datasource.password", ""),
                bootstrap);
    }
}
