package io.aiel.plane.gateway.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aiel.plane.gateway.EmbeddedServers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EmbeddedServersTest {
    @TempDir
    private Path folder;

    @Test
    void postgresKeepsItsDataAndItsPasswordOverARestart() throws Exception {
        try (var first = postgres();
                Connection connection = connect(first);
                Statement statement = connection.createStatement()) {
            statement.execute("CREATE TABLE kept (value text)");
            statement.execute("INSERT INTO kept VALUES ('still here')");
        }
        try (var second = postgres();
                Connection connection = connect(second);
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT value FROM kept")) {
            assertThat(rows.next()).isTrue();
            assertThat(rows.getString(1)).isEqualTo("still here");
        }
    }

    @Test
    void postgresRefusesAWrongPassword() {
        try (var postgres = postgres()) {
            assertThatThrownBy(() -> DriverManager.getConnection(postgres.jdbcUrl(), postgres.user(), "guess"))
                    .isInstanceOf(SQLException.class)
                    .hasMessageContaining("password authentication failed");
        }
    }

    @Test
    void postgresKeepsItsPasswordsInAPrivateFileAndSyncsItsData() throws Exception {
        try (var postgres = postgres();
                Connection connection = connect(postgres);
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT current_setting('fsync')")) {
            assertThat(rows.next()).isTrue();
            assertThat(rows.getString(1)).isEqualTo("on");
            assertThat(PosixFilePermissions.toString(
                            Files.getPosixFilePermissions(folder.resolve("postgres/credentials.properties"))))
                    .isEqualTo("rw-------");
        }
    }

    @Test
    void kafkaKeepsItsRecordsOverARestart() throws Exception {
        try (var first = kafka();
                var producer = new KafkaProducer<>(
                        Map.of("bootstrap.servers", first.bootstrapServers(), "acks", "all"),
                        new StringSerializer(),
                        new StringSerializer())) {
            producer.send(new ProducerRecord<>(EmbeddedKafka.AUDIT_TOPIC, "key", "kept"))
                    .get();
        }
        try (var second = kafka();
                var consumer = new KafkaConsumer<>(
                        Map.of(
                                "bootstrap.servers",
                                second.bootstrapServers(),
                                "group.id",
                                "reader",
                                "auto.offset.reset",
                                "earliest"),
                        new StringDeserializer(),
                        new StringDeserializer())) {
            consumer.subscribe(List.of(EmbeddedKafka.AUDIT_TOPIC));
            assertThat(consumer.poll(Duration.ofSeconds(30)))
                    .singleElement()
                    .satisfies(read -> assertThat(read.value()).isEqualTo("kept"));
        }
    }

    @Test
    void aSecondServerOnTheSameDataFolderIsRefused() {
        try (var held = DataDirectoryLock.acquire(folder)) {
            assertThat(held).isNotNull();
            assertThatThrownBy(() -> DataDirectoryLock.acquire(folder))
                    .isInstanceOf(EmbeddedServerFailed.class)
                    .hasMessageContaining(folder.toString())
                    .hasMessageContaining("--data");
        }
        DataDirectoryLock.acquire(folder).close();
    }

    private EmbeddedPostgres postgres() {
        return EmbeddedPostgres.start(folder.resolve("postgres"), EmbeddedServers.libraries(), line -> {});
    }

    private EmbeddedKafka kafka() {
        return EmbeddedKafka.start(folder.resolve("kafka"), EmbeddedServers.libraries(), line -> {});
    }

    private static Connection connect(EmbeddedPostgres postgres) throws SQLException {
        return DriverManager.getConnection(postgres.jdbcUrl(), postgres.user(), postgres.password());
    }
}
