package io.aiel.plane.gateway.integration;

import io.vertx.core.Handler;
import io.vertx.core.Vertx;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.json.JsonObject;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/** A server on this host that keeps what it was asked. */
final class LocalServer implements AutoCloseable {
    private final HttpServer server;
    /** Of each answer; nothing that code is told has it. */
    static final String HEADER = "not for the code";

    private final List<Received> received = new CopyOnWriteArrayList<>();
    private final AtomicInteger connections = new AtomicInteger();

    /** A request, its headers by lower-case name. */
    record Received(String method, String uri, Map<String, String> headers, String body) {
        String path() {
            int query = uri.indexOf('?');
            return query < 0 ? uri : uri.substring(0, query);
        }

        String header(String name) {
            return headers.getOrDefault(name, "");
        }

        JsonObject json() {
            return new JsonObject(body);
        }
    }

    /** What answers. */
    interface Behaviour {
        void answer(Received request, HttpServerResponse response);
    }

    private LocalServer(HttpServer server) {
        this.server = server;
    }

    static LocalServer start(Vertx vertx, Behaviour behaviour) {
        return start(vertx, "127.0.0.1", new HttpServerOptions(), behaviour);
    }

    static LocalServer start(Vertx vertx, String address, HttpServerOptions options, Behaviour behaviour) {
        LocalServer local = new LocalServer(vertx.createHttpServer(options));
        Handler<HttpServerRequest> handler = request -> request.body().onSuccess(body -> {
            Map<String, String> headers = new TreeMap<>();
            request.headers()
                    .forEach(header -> headers.put(header.getKey().toLowerCase(Locale.ROOT), header.getValue()));
            Received one = new Received(request.method().name(), request.uri(), headers, body.toString());
            local.received.add(one);
            behaviour.answer(one, request.response());
        });
        local.server
                .connectionHandler(_ -> local.connections.incrementAndGet())
                .requestHandler(handler)
                .listen(options.getPort() == HttpServerOptions.DEFAULT_PORT ? 0 : options.getPort(), address)
                .toCompletionStage()
                .toCompletableFuture()
                .join();
        return local;
    }

    /** Answers with a JSON text. */
    static void json(HttpServerResponse response, int status, String body) {
        response.setStatusCode(status)
                .putHeader("content-type", "application/json; charset=utf-8")
                .putHeader("x-of-the-server", HEADER)
                .end(body);
    }

    int port() {
        return server.actualPort();
    }

    List<Received> received() {
        return received;
    }

    Received last() {
        return received.getLast();
    }

    int connections() {
        return connections.get();
    }

    @Override
    public void close() {
        server.close().toCompletionStage().toCompletableFuture().join();
    }
}
