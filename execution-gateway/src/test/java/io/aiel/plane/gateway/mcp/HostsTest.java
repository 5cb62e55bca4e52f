package io.aiel.plane.gateway.mcp;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which names a request may come by. */
class HostsTest {
    private static final Hosts LOOPBACK = new Hosts(List.of("localhost", "127.0.0.1", "[::1]"), List.of());

    @ParameterizedTest
    @CsvSource({
        "localhost, true",
        "LocalHost:8080, true",
        "127.0.0.1:8080, true",
        "[::1]:8080, true",
        "[::1], true",
        "'', false",
        "evil.invalid, false",
        "localhost.evil.invalid, false",
        "evil.invalid#localhost, false",
        "localhost@evil.invalid, false",
        "localhost:80:80, false",
        "localhost:, false",
        "127.0.0.2, false"
    })
    void takesOnlyItsOwnNames(String authority, boolean allowed) {
        assertThat(LOOPBACK.allowsHost(authority)).isEqualTo(allowed);
    }

    @Test
    void takesAnyWellFormedNameWhereSomethingInFrontChecks() {
        Hosts any = new Hosts(List.of("*"), List.of());

        assertThat(any.allowsHost("plane.example.com:443")).isTrue();
        assertThat(any.allowsHost("a\"b")).isFalse();
    }

    @Test
    void takesPagesOfItsOwnOriginAndOfThoseThatAreNamed() {
        Hosts hosts = new Hosts(List.of("localhost"), List.of("https://app.example.com"));

        assertThat(hosts.allowsOrigin("http://localhost:8080", "http://localhost:8080"))
                .isTrue();
        assertThat(hosts.allowsOrigin("https://App.example.com", "http://localhost:8080"))
                .isTrue();
        assertThat(hosts.allowsOrigin("http://localhost:3000", "http://localhost:8080"))
                .isFalse();
        assertThat(hosts.allowsOrigin("null", "http://localhost:8080")).isFalse();
        assertThat(hosts.allowsOrigin("*", "http://localhost:8080")).isFalse();
    }
}
