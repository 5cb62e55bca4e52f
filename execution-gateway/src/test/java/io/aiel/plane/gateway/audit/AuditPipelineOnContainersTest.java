package io.aiel.plane.gateway.audit;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.condition.EnabledIf;
import org.testcontainers.DockerClientFactory;
import org.testcontainers.kafka.KafkaContainer;
import org.testcontainers.postgresql.PostgreSQLContainer;
import org.testcontainers.utility.DockerImageName;

/** The contract on the vendors' own images, for machines with a container engine; skipped, and said so, without one. */
@EnabledIf(value = "engineFound", disabledReason = "no container engine was found")
class AuditPipelineOnContainersTest extends AuditPipelineContract {
    private static final PostgreSQLContainer POSTGRES =
            new PostgreSQLContainer(DockerImageName.parse("postgres:18.1-alpine"));
    private static final KafkaContainer KAFKA = new KafkaContainer(DockerImageName.parse("apache/kafka:4.1.1"));

    @SuppressWarnings("SystemOut") // A skipped contract must be seen in the build's output, whatever the log level is.
    static boolean engineFound() {
        boolean found = DockerClientFactory.instance().isDockerAvailable();
        if (!found) {
            System.out.println(
                    "SKIPPED: the audit pipeline was not tried on containers, as no container engine was found");
        }
        return found;
    }

    @BeforeAll
    static void start() {
        POSTGRES.start();
        KAFKA.start();
    }

    @AfterAll
    static void stop() {
        KAFKA.stop();
        POSTGRES.stop();
    }

    @Override
    AuditServers servers(String name) {
        return new AuditServers(
                name,
                POSTGRES.getJdbcUrl(),
                POSTGRES.getUsername(),
                POSTGRES.getPassword(),
                KAFKA.getBootstrapServers());
    }
}
