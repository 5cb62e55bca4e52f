package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.net.PfxOptions;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who answers must have a certificate for the name, of somebody who is trusted. Seen to fail: with the name not verified. */
class TlsTest {
    private static final String PASSWORD = "changeit";

    @TempDir
    Path folder;

    private static void keytool(String... arguments) throws Exception {
        String[] command = new String[arguments.length + 1];
        command[0] = Path.of(System.getProperty("java.home"), "bin", "keytool").toString();
        System.arraycopy(arguments, 0, command, 1, arguments.length);
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        assertThat(process.waitFor()).isZero();
    }

    /** Makes one, with its key in server.p12; gives the certificate alone. */
    static Path certificate(Path folder, String name) throws Exception {
        Path store = folder.resolve("server.p12");
        Path pem = folder.resolve("server.pem");
        keytool(
                "-genkeypair",
                "-alias",
                "server",
                "-keyalg",
                "EC",
                "-storetype",
                "PKCS12",
                "-keystore",
                store.toString(),
                "-storepass",
                PASSWORD,
                "-dname",
                "CN=" + name,
                "-ext",
                "SAN=dns:" + name,
                "-validity",
                "2");
        keytool(
                "-exportcert",
                "-rfc",
                "-alias",
                "server",
                "-keystore",
                store.toString(),
                "-storepass",
                PASSWORD,
                "-file",
                pem.toString());
        return pem;
    }

    private static ActionResult ask(Vertx vertx, LocalServer server, Optional<Path> trusted, String host) {
        try (Calls calls = new Calls(
                vertx,
                "http",
                new Calls.Limits(trusted, 4, Duration.ofSeconds(5), 1024, 1024),
                Calls.ALLOWED,
                _ -> new InetAddress[] {Calls.loopback()},
                Clock.systemUTC())) {
            return calls.call(
                    "http.request",
                    "{\"base_url\":\"https://" + host + ":" + server.port() + "\",\"paths\":[\"/**\"]}",
                    "{}",
                    "{\"path\":\"/x\"}");
        }
    }

    @Test
    void verifiesTheCertificateAndTheName() throws Exception {
        Path pem = certificate(folder, "http.test");
        Vertx vertx = Vertx.vertx();
        HttpServerOptions options = new HttpServerOptions()
                .setSsl(true)
                .setKeyCertOptions(new PfxOptions()
                        .setPath(folder.resolve("server.p12").toString())
                        .setPassword(PASSWORD));
        try (LocalServer server = LocalServer.start(
                vertx, "127.0.0.1", options, (_, response) -> LocalServer.json(response, 200, "{}"))) {
            Calls.done(ask(vertx, server, Optional.of(pem), "http.test"));
            assertThat(server.received()).hasSize(1);

            var untrusted = Calls.refused(ask(vertx, server, Optional.empty(), "http.test"));
            var another = Calls.refused(ask(vertx, server, Optional.of(pem), "other.test"));

            assertThat(untrusted.message()).contains("TLS failed");
            assertThat(another.message()).contains("TLS failed");
            assertThat(server.received()).hasSize(1);
        } finally {
            vertx.close();
        }
    }
}
