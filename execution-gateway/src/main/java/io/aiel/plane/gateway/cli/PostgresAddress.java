package io.aiel.plane.gateway.cli;

import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * A PostgreSQL server given as {@code postgresql://user:password@host:port/database?sslmode=…}.
 *
 * @param location host, port, database and parameters, without scheme and credentials
 * @param user the user, when named
 * @param password the password, when given in the address
 */
record PostgresAddress(String location, Optional<String> user, Optional<String> password) {
    static PostgresAddress parse(String text) {
        URI uri;
        try {
            uri = new URI(text.startsWith("jdbc:") ? text.substring("jdbc:".length()) : text);
        } catch (URISyntaxException e) {
            // The text may hold a password: it is not repeated.
            throw invalid();
        }
        boolean scheme = "postgresql".equals(uri.getScheme()) || "postgres".equals(uri.getScheme());
        String path = uri.getRawPath();
        if (!scheme || uri.getHost() == null || path == null || path.length() < 2) {
            throw invalid();
        }
        int port = uri.getPort() == -1 ? 5432 : uri.getPort();
        String query = uri.getRawQuery() == null ? "" : "?" + uri.getRawQuery();
        String[] credentials = uri.getRawUserInfo() == null
                ? new String[0]
                : uri.getRawUserInfo().split(":", 2);
        return new PostgresAddress(
                uri.getHost() + ":" + port + path + query,
                credentials.length > 0 ? Optional.of(decode(credentials[0])) : Optional.empty(),
                credentials.length > 1 ? Optional.of(decode(credentials[1])) : Optional.empty());
    }

    /** The settings by which the server finds it; credentials fall back to the usual variables of PostgreSQL. */
    Map<String, String> settings(Map<String, String> environment) {
        var settings = new HashMap<String, String>();
        settings.put("quarkus.datasource.jdbc.url", jdbcUrl());
        settings.put("quarkus.datasource.reactive.url", "postgresql://" + location);
        user.or(() -> Optional.ofNullable(environment.get("PGUSER")))
                .ifPresent(value -> settings.put("quarkus.datasource.username", value));
        password.or(() -> Optional.ofNullable(environment.get("PGPASSWORD")))
                .ifPresent(value -> settings.put("quarkus.datasource.password", value));
        return Map.copyOf(settings);
    }

    String jdbcUrl() {
        return "jdbc:postgresql://" + location;
    }

    /** Host, port and database, for messages; the parameters may hold a secret. */
    String place() {
        int query = location.indexOf('?');
        return query < 0 ? location : location.substring(0, query);
    }

    @Override
    public String toString() {
        return "postgresql://" + place();
    }

    private static String decode(String text) {
        return URLDecoder.decode(text.replace("+", "%2B"), StandardCharsets.UTF_8);
    }

    private static CommandFailed invalid() {
        return new CommandFailed("The value of --postgres is not an address of the form"
                + " postgresql://user@host:5432/database (the password may come from PGPASSWORD).");
    }
}
