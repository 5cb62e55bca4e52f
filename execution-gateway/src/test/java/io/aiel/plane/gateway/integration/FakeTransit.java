package io.aiel.plane.gateway.integration;

import io.aiel.plane.gateway.sealing.AesGcm;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;

/** A key management service that does what the transit API says, with one key {@code plane} at the mount {@code transit}: really encrypts, binds and rotates. */
final class FakeTransit implements AutoCloseable {
    static final String TOKEN = "hvs.canary-token-1";
    private static final String PREFIX = "/v1/transit/";

    private final LocalServer server;
    private final String scheme;
    private final List<byte[]> versions = new CopyOnWriteArrayList<>();
    private volatile String token = TOKEN;
    private volatile int minDecryption = 1;
    private volatile Manner manner = Manner.WELL;

    /** How it answers. */
    enum Manner {
        WELL,
        SEALED,
        OVERLOADED,
        SILENT,
        ENDLESS,
        ELSEWHERE,
        NO_JSON,
        NOT_BASE64,
        /** As services from before {@code associated_data}. */
        BINDS_NOTHING
    }

    FakeTransit(Vertx vertx) {
        this(vertx, new HttpServerOptions());
    }

    FakeTransit(Vertx vertx, HttpServerOptions options) {
        rotate();
        scheme = options.isSsl() ? "https" : "http";
        server = LocalServer.start(vertx, "127.0.0.1", options, this::answer);
    }

    void rotate() {
        versions.add(AesGcm.random(AesGcm.KEY_BYTES));
    }

    void decryptsFrom(int version) {
        minDecryption = version;
    }

    void takes(String another) {
        token = another;
    }

    void is(Manner now) {
        manner = now;
    }

    List<LocalServer.Received> received() {
        return server.received();
    }

    int connections() {
        return server.connections();
    }

    String url() {
        return scheme + "://localhost:" + server.port();
    }

    TransitSettings settings(Path tokenFile, Duration timeout) {
        return new TransitSettings(
                java.net.URI.create(url()), "transit", "plane", tokenFile, Optional.empty(), Optional.empty(), timeout);
    }

    private void answer(LocalServer.Received request, HttpServerResponse response) {
        switch (manner) {
            case SILENT -> {}
            case SEALED -> error(response, 503, "Vault is sealed");
            case OVERLOADED -> error(response, 429, "request path \"transit/\": rate limit quota exceeded");
            case ELSEWHERE ->
                response.setStatusCode(307)
                        .putHeader("Location", url() + request.uri())
                        .end();
            case NO_JSON -> response.end("<html>");
            case NOT_BASE64 ->
                data(response, new JsonObject().put("plaintext", "!").put("ciphertext", "v1:!"));
            case ENDLESS -> response.setChunked(true).write("{\"data\":\"" + "x".repeat(70_000));
            case WELL, BINDS_NOTHING -> well(request, response);
        }
    }

    private void well(LocalServer.Received request, HttpServerResponse response) {
        String path = request.path();
        if (!request.header("x-vault-token").equals(token)) {
            error(response, 403, "permission denied");
        } else if (!path.startsWith(PREFIX)) {
            error(response, 404, "no handler for route");
        } else if (request.method().equals("GET") && path.equals(PREFIX + "keys/plane")) {
            data(
                    response,
                    new JsonObject()
                            .put("latest_version", versions.size())
                            .put("min_decryption_version", minDecryption)
                            .put("type", "aes256-gcm96"));
        } else if (request.method().equals("POST") && path.equals(PREFIX + "encrypt/plane")) {
            int version = versions.size();
            byte[] sealed = AesGcm.encrypt(versions.get(version - 1), decoded(request, "plaintext"), bound(request));
            data(
                    response,
                    new JsonObject()
                            .put(
                                    "ciphertext",
                                    "vault:v" + version + ":"
                                            + Base64.getEncoder().encodeToString(sealed))
                            .put("key_version", version));
        } else if (request.method().equals("POST") && path.equals(PREFIX + "decrypt/plane")) {
            decrypt(request, response);
        } else {
            error(response, 400, "encryption key not found");
        }
    }

    private void decrypt(LocalServer.Received request, HttpServerResponse response) {
        String[] parts = request.json().getString("ciphertext").split(":", 3);
        int version = Integer.parseInt(parts[1].substring(1));
        if (version < minDecryption) {
            error(response, 400, "ciphertext or signature version is disallowed by policy (too old)");
            return;
        }
        if (version > versions.size()) {
            error(response, 400, "invalid ciphertext: version is too new");
            return;
        }
        try {
            byte[] plain = AesGcm.decrypt(
                    versions.get(version - 1), Base64.getDecoder().decode(parts[2]), bound(request));
            data(response, new JsonObject().put("plaintext", Base64.getEncoder().encodeToString(plain)));
        } catch (GeneralSecurityException _) {
            error(response, 400, "invalid ciphertext: unable to decrypt");
        }
    }

    private byte[] bound(LocalServer.Received request) {
        return manner == Manner.BINDS_NOTHING ? new byte[0] : decoded(request, "associated_data");
    }

    private static byte[] decoded(LocalServer.Received request, String field) {
        return Base64.getDecoder().decode(request.json().getString(field));
    }

    private static void data(HttpServerResponse response, JsonObject data) {
        LocalServer.json(response, 200, new JsonObject().put("data", data).encode());
    }

    private static void error(HttpServerResponse response, int status, String why) {
        LocalServer.json(
                response,
                status,
                new JsonObject().put("errors", new JsonArray().add(why)).encode());
    }

    @Override
    public void close() {
        server.close();
    }
}
