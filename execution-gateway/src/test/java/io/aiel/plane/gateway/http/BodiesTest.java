package io.aiel.plane.gateway.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.quarkus.runtime.configuration.MemorySize;
import io.quarkus.vertx.http.runtime.filters.Filter;
import io.quarkus.vertx.http.runtime.filters.Filters;
import io.smallrye.config.SmallRyeConfigBuilder;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.http.HttpServer;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Comparator;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What is left of a request that was answered before its body was read.
 *
 * <p>Meant to fail: {@link #keepsNothingOfWhatItRefusedOnceTheBodyIsThere} without the cancelled timer. The timer keeps the request for two seconds;
 * at five times the peak that were 50,000 requests in the old space of the heap and a full collection of 0.2 s every 11 s.
 */
class BodiesTest {
    private static final String HEAD = """
            POST / HTTP/1.1\r
            Host: localhost\r
            Content-Length: 2\r
            \r
            """;

    private final Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1));
    private final AtomicInteger set = new AtomicInteger();
    private final AtomicInteger cancelled = new AtomicInteger();
    private HttpServer server;

    @BeforeEach
    void serve() throws Exception {
        HttpConfig config = new SmallRyeConfigBuilder()
                .withMapping(HttpConfig.class)
                .addDiscoveredConverters()
                .build()
                .getConfigMapping(HttpConfig.class);
        Filters filters = new Filters();
        new Bodies(config, new MemorySize(BigInteger.valueOf(1_000_000))).register(filters);
        Router router = Router.router(vertx);
        filters.getFilters().stream()
                .sorted(Comparator.comparingInt(Filter::getPriority).reversed())
                .forEach(filter ->
                        router.route().handler(routing -> filter.getHandler().handle(counted(routing))));
        router.route().handler(routing -> routing.response().setStatusCode(429).end());
        server = get(vertx.createHttpServer()
                .requestHandler(router)
                .listen(0, "127.0.0.1")
                .toCompletionStage());
    }

    @AfterEach
    void close() throws Exception {
        get(vertx.close().toCompletionStage());
    }

    @Test
    void keepsNothingOfWhatItRefusedOnceTheBodyIsThere() throws Exception {
        try (Socket caller = call()) {
            for (int request = 1; request <= 5; request++) {
                send(caller, HEAD + "{}");
                assertThat(status(caller)).isEqualTo("HTTP/1.1 429 Too Many Requests");
            }
        }
        CompletableFuture<Boolean> done = new CompletableFuture<>();
        vertx.runOnContext(_ -> done.complete(true));
        get(done);

        // One while the body comes, one while the rest of it does.
        assertThat(set).hasValue(10);
        assertThat(cancelled).hasValue(10);
    }

    @Test
    void endsTheConnectionOfWhoeverDoesNotSendTheRest() throws Exception {
        try (Socket caller = call()) {
            send(caller, HEAD);
            assertThat(status(caller)).isEqualTo("HTTP/1.1 429 Too Many Requests");
            assertThat(caller.getInputStream().read()).isEqualTo(-1);
        }
    }

    private Socket call() throws IOException {
        Socket caller = new Socket(InetAddress.getLoopbackAddress(), server.actualPort());
        caller.setSoTimeout(10_000);
        return caller;
    }

    private static void send(Socket caller, String text) throws IOException {
        caller.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
    }

    /** The first line of the next answer; these have no body. */
    private static String status(Socket caller) throws IOException {
        StringBuilder answer = new StringBuilder();
        InputStream in = caller.getInputStream();
        while (answer.indexOf("\r\n\r\n") < 0) {
            int read = in.read();
            assertThat(read).as("more of an answer than '%s'", answer).isNotNegative();
            answer.append((char) read);
        }
        return answer.substring(0, answer.indexOf("\r\n"));
    }

    /** The same, with timers that are counted. */
    private RoutingContext counted(RoutingContext routing) {
        Vertx counting =
                instead(Vertx.class, routing.vertx(), Map.of("setTimer", set, "cancelTimer", cancelled), Map.of());
        return instead(RoutingContext.class, routing, Map.of(), Map.of("vertx", counting));
    }

    private static <T> T instead(
            Class<T> type, T real, Map<String, AtomicInteger> counts, Map<String, Object> answers) {
        return type.cast(Proxy.newProxyInstance(
                type.getClassLoader(), new Class<?>[] {type}, (_, method, arguments) -> {
                    counts.getOrDefault(method.getName(), new AtomicInteger()).incrementAndGet();
                    if (answers.containsKey(method.getName())) {
                        return answers.get(method.getName());
                    }
                    try {
                        return method.invoke(real, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                }));
    }

    private static <T> T get(CompletionStage<T> stage) throws Exception {
        return stage.toCompletableFuture().get(10, TimeUnit.SECONDS);
    }
}
