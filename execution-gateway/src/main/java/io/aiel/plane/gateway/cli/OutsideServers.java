package io.aiel.plane.gateway.cli;

import java.sql.Connection;
import java.sql.Driver;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import java.util.ServiceLoader;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.common.KafkaException;

/**
 * Tries the servers named with {@code --postgres} and {@code --kafka} before anything else starts, so that a wrong address is
 * told at once and in words, not half a minute later by whichever part happened to connect first. Blocks.
 */
final class OutsideServers {
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private OutsideServers() {}

    static void requirePostgres(PostgresAddress address, Map<String, String> settings) {
        String user = settings.get("quarkus.datasource.username");
        if (user == null) {
            throw new CommandFailed("--postgres names no user. Put one into the address or into PGUSER.");
        }
        var properties = new Properties();
        properties.setProperty("user", user);
        String password = settings.get("quarkus.datasource.password");
        if (password != null) {
            properties.setProperty("password", password);
        }
        String seconds = Long.toString(LIMIT.toSeconds());
        properties.setProperty("loginTimeout", seconds);
        properties.setProperty("connectTimeout", seconds);
        properties.setProperty("socketTimeout", seconds);
        try (Connection connection = connect(address.jdbcUrl(), properties)) {
            if (!connection.isValid((int) LIMIT.toSeconds())) {
                throw new CommandFailed("PostgreSQL at " + address.place() + " does not answer.");
            }
        } catch (SQLException e) {
            throw new CommandFailed(explained(address.place(), user, password != null, e), e);
        }
    }

    private static String explained(String place, String user, boolean passwordGiven, SQLException failure) {
        String state = failure.getSQLState() == null ? "" : failure.getSQLState();
        if (state.startsWith("28") || (!passwordGiven && state.equals("08004"))) {
            return "PostgreSQL at " + place + " does not let the user '" + user + "' in: "
                    + (passwordGiven ? "the user or the password is wrong." : "no password was given; set PGPASSWORD.");
        }
        if (state.equals("3D000")) {
            return "PostgreSQL at " + place
                    + " answers, but has no such database. Make it, for instance with createdb.";
        }
        return "PostgreSQL at " + place + " cannot be used: " + failure.getMessage();
    }

    private static Connection connect(String url, Properties properties) throws SQLException {
        // Not DriverManager, which knows only the drivers of the class loader that happened to start it.
        for (Driver driver : ServiceLoader.load(Driver.class, OutsideServers.class.getClassLoader())) {
            Connection connection = driver.connect(url, properties);
            if (connection != null) {
                return connection;
            }
        }
        throw new SQLException("the PostgreSQL driver is not on the class path");
    }

    static void requireKafka(String bootstrap) {
        Map<String, Object> settings = Map.of(
                AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG,
                bootstrap,
                AdminClientConfig.REQUEST_TIMEOUT_MS_CONFIG,
                (int) LIMIT.toMillis(),
                AdminClientConfig.DEFAULT_API_TIMEOUT_MS_CONFIG,
                (int) LIMIT.toMillis());
        try (Admin admin = Admin.create(settings)) {
            try {
                admin.describeCluster().nodes().get(2 * LIMIT.toSeconds(), TimeUnit.SECONDS);
            } catch (ExecutionException | TimeoutException e) {
                admin.close(Duration.ZERO);
                throw new CommandFailed(
                        "Kafka at " + bootstrap + " did not answer within " + LIMIT.toSeconds()
                                + " s. Is it running, and is that its listener for clients?",
                        e);
            }
        } catch (KafkaException e) {
            // Its cause says what is wrong with the addresses.
            throw new CommandFailed(
                    "--kafka cannot be used: " + (e.getCause() == null ? e : e.getCause()).getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandFailed("Interrupted", e);
        }
    }
}
