package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.Audit;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.ServerCertificate;
import io.aiel.plane.fixtures.Waiting;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The way out of a worker, through the packaged plane: real servers on the loopback stand for the outside. {@code api.test} is granted by
 * the policy and may be private by configuration; {@code inside.test} is granted too, but no operator said that it may be private;
 * {@code other.test} is not granted. All three are names of the loopback, and at its end sits a server that counts.
 */
@Tag("escapes")
class EgressTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    private static PackagedPlane plane;
    private static Project project;
    private static Project ungranted;
    private static HttpServer http;
    private static HttpsServer https;
    private static Trap trap;
    private static Path data;

    /** A server that nobody may reach. */
    private static final class Trap implements AutoCloseable {
        private final ServerSocket socket;
        private final AtomicInteger connections = new AtomicInteger();

        Trap() throws IOException {
            socket = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
            Thread.ofVirtual().start(() -> {
                while (!socket.isClosed()) {
                    try (Socket _ = socket.accept()) {
                        connections.incrementAndGet();
                    } catch (IOException e) {
                        return;
                    }
                }
            });
        }

        int port() {
            return socket.getLocalPort();
        }

        @Override
        public void close() throws IOException {
            socket.close();
        }
    }

    @BeforeAll
    static void start() throws Exception {
        data = PackagedPlane.freshData();
        trap = new Trap();
        http = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        http.createContext("/", EgressTest::serve);
        http.start();
        https = tls();
        https.createContext("/", EgressTest::serve);
        https.start();
        Files.writeString(data.resolve("policy.json"), "{}");
        Files.writeString(
                data.resolve("hosts"),
                "127.0.0.1 localhost api.test inside.test other.test " + machine() + "\n::1 localhost\n");
        plane = PackagedPlane.startThrough(
                List.of(
                        "env",
                        "PLANE_POLICY_DATA_FILE=" + data.resolve("policy.json"),
                        "PLANE_EGRESS_PRIVATE_HOSTS=api.test",
                        "PLANE_EGRESS_CA_FILE=" + data.resolve("server.pem"),
                        "PLANE_JAVA_OPTIONS=-Djdk.net.hosts.file=" + data.resolve("hosts")),
                data);
        project = plane.newProject("egress");
        ungranted = plane.newProject("no-egress");
        // Grants name projects, and data is read at start: so the plane that makes the projects is started again.
        Files.writeString(data.resolve("policy.json"), grants());
        plane.signal("TERM");
        plane.startAgain();
        project = new Project(plane.client(), project.workspace(), project.id());
        ungranted = new Project(plane.client(), ungranted.workspace(), ungranted.id());
        project.push(Map.of("entry_point.py", CODE));
        ungranted.push(Map.of("entry_point.py", CODE));
    }

    @AfterAll
    static void stop() throws IOException {
        try (PackagedPlane ending = plane;
                Trap last = trap) {
            http.stop(0);
            https.stop(0);
            assertThat(ending).isNotNull();
            assertThat(last).isNotNull();
        }
    }

    private static String machine() throws IOException {
        return InetAddress.getLocalHost().getHostName();
    }

    private static String grants() {
        return """
                {"grants": {"network": {"%s": ["api.test:%d", "api.test:%d", "inside.test:%d"]}, "subprocess": {"%s": true}}}
                """.formatted(
                project.id(), http.getAddress().getPort(), https.getAddress().getPort(), trap.port(), project.id());
    }

    private static HttpsServer tls() throws Exception {
        SSLContext context = ServerCertificate.make(data, "api.test", "other.test");
        HttpsServer server = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setHttpsConfigurator(new HttpsConfigurator(context));
        return server;
    }

    private static final List<String> SERVED = new CopyOnWriteArrayList<>();

    private static void serve(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        SERVED.add(path);
        int length = exchange.getRequestBody().readAllBytes().length;
        if (path.equals("/redirect")) {
            exchange.getResponseHeaders().add("Location", "http://127.0.0.1:" + trap.port() + "/");
            exchange.sendResponseHeaders(302, -1);
            exchange.close();
            return;
        }
        byte[] body = ("got " + length + " at " + path).getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(200, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    private static final String CODE = """
            import http.client
            import multiprocessing
            import socket
            import ssl
            import urllib.request

            from aiel_sdk import tool

            def outcome(call):
                try:
                    return {"answer": call()}
                except Exception as problem:
                    return {"problem": type(problem).__name__ + ": " + str(problem)}

            def read(url, data=None, headers={}):
                with urllib.request.urlopen(urllib.request.Request(url, data=data, headers=headers), timeout=20) as answer:
                    return answer.read().decode()

            def proxied(port, first, then=b""):
                with socket.create_connection(("127.0.0.1", 3128), timeout=20) as connection:
                    connection.sendall(first)
                    answer = connection.recv(4096)
                    if then and answer.startswith(b"HTTP/1.1 200"):
                        connection.sendall(then)
                        answer = connection.recv(4096)
                    if not answer.startswith(b"HTTP/1.1 2"):
                        raise OSError("refused: %r" % answer[:200])
                    return answer.decode("latin-1")

            def tunnelled(target, port, name):
                connection = http.client.HTTPConnection("127.0.0.1", 3128, timeout=20)
                connection.set_tunnel(target, port)
                connection.connect()
                secured = ssl._create_unverified_context().wrap_socket(connection.sock, server_hostname=name)
                secured.sendall(b"GET /tunnel HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
                return secured.recv(100).decode()

            @tool("fetch")
            def fetch(ctx, e):
                return {url: outcome(lambda: read(url)) for url in e["urls"]}

            @tool("post")
            def post(ctx, e):
                return outcome(lambda: read(e["url"], data=b"x" * e["bytes"]))

            @tool("forged")
            def forged(ctx, e):
                port, tls = e["port"], e["tls"]
                get = "GET http://api.test:%d/forged HTTP/1.1\\r\\nHost: %s\\r\\n\\r\\n"
                return {
                    "another host header": outcome(lambda: proxied(port, (get % (port, "other.test:%d" % port)).encode())),
                    "two host headers": outcome(lambda: proxied(port, (get % (port, "api.test:%d\\r\\nHost: other.test" % port)).encode())),
                    "not tls": outcome(lambda: proxied(port, b"CONNECT api.test:%d HTTP/1.1\\r\\n\\r\\n" % tls,
                                                       b"GET /forged HTTP/1.1\\r\\nHost: api.test\\r\\n\\r\\n")),
                    "another server name": outcome(lambda: tunnelled("api.test", tls, "other.test")),
                    "no server name": outcome(lambda: tunnelled("api.test", tls, None)),
                    "another target": outcome(lambda: tunnelled("other.test", tls, "other.test")),
                }

            @tool("around")
            def around(ctx, e):
                def direct(family, address):
                    with socket.socket(family, socket.SOCK_STREAM) as s:
                        s.settimeout(5)
                        s.connect(address)
                return {
                    "loopback": outcome(lambda: direct(socket.AF_INET, ("127.0.0.1", e["port"]))),
                    "loopback of version 6": outcome(lambda: direct(socket.AF_INET6, ("::1", e["port"]))),
                    "name": outcome(lambda: direct(socket.AF_INET, ("api.test", e["port"]))),
                    "metadata": outcome(lambda: direct(socket.AF_INET, ("169.254.169.254", 80))),
                    "udp": outcome(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
                    "netlink": outcome(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)),
                }

            kept = []

            @tool("keep")
            def keep(ctx, e):
                connection = http.client.HTTPConnection("127.0.0.1", 3128, timeout=20)
                connection.set_tunnel("api.test", e["tls"])
                connection.connect()
                kept.append(ssl._create_unverified_context().wrap_socket(connection.sock, server_hostname="api.test"))
                return {"kept": len(kept)}

            @tool("use")
            def use(ctx, e):
                def go():
                    kept[0].sendall(b"GET /after-the-end HTTP/1.1\\r\\nHost: api.test\\r\\nConnection: close\\r\\n\\r\\n")
                    answer = kept[0].recv(100)
                    if not answer:
                        raise OSError("closed")
                    return answer.decode()
                return {"kept": len(kept), **outcome(go)}

            def double(pipe):
                pipe.send(2 * pipe.recv())

            @tool("processes")
            def processes(ctx, e):
                forking = multiprocessing.get_context("fork")
                here, there = forking.Pipe()
                child = forking.Process(target=double, args=(there,))
                child.start()
                here.send(21)
                answer = here.recv()
                child.join(20)
                return {"answer": answer}
            """;

    private static JsonNode call(Project where, String tool, Map<String, ?> event, String... capabilities) {
        return invoke(where, tool, event, capabilities).json();
    }

    private static Answer invoke(Project where, String tool, Map<String, ?> event, String... capabilities) {
        Map<String, Boolean> wanted = new java.util.HashMap<>();
        Stream.of(capabilities).forEach(name -> wanted.put(name, true));
        return where.execute(Map.of(
                "action",
                "invoke",
                "kind",
                "tool",
                "handler",
                tool,
                "event",
                event,
                "meta",
                Map.of("timeout_ms", 60_000, "capabilities", wanted)));
    }

    private static JsonNode result(JsonNode envelope) {
        assertThat(envelope.path("ok").asBoolean()).as("%s", envelope).isTrue();
        return envelope.path("result");
    }

    private static String url(String scheme, String host, int port) {
        return scheme + "://" + host + ":" + port + "/x";
    }

    private static List<JsonNode> trail(JsonNode envelope) {
        String id = envelope.at("/meta/execution_id").asText();
        Audit audit = new Audit(plane.client());
        return Waiting.until(
                LIMIT,
                () -> audit.records("order=oldest&execution=" + id),
                records -> !records.isEmpty() && type(records.getLast()).equals("io.aiel.plane.execution.finished.v1"),
                "audit records of " + id);
    }

    private static String type(JsonNode record) {
        return record.at("/event/type").asText();
    }

    private static List<String> reasons(List<JsonNode> trail) {
        return trail.stream()
                .filter(record -> type(record).equals("io.aiel.plane.egress.refused.v1"))
                .map(record -> record.at("/event/data/reason").asText())
                .toList();
    }

    @Test
    void unchangedCodeReachesNamedHostsAndEachConnectionIsOnRecord() {
        String plain = url("http", "api.test", http.getAddress().getPort());
        String secure = url("https", "api.test", https.getAddress().getPort());

        JsonNode envelope = call(project, "fetch", Map.of("urls", List.of(plain, secure)), "network");

        for (String url : List.of(plain, secure)) {
            assertThat(result(envelope).path(url).path("answer").asText())
                    .as("%s", envelope)
                    .isEqualTo("got 0 at /x");
        }
        assertThat(envelope.at("/meta/isolation/seccomp").asText()).isEqualTo("network");
        List<JsonNode> trail = trail(envelope);
        assertThat(trail)
                .extracting(EgressTest::type)
                .startsWith(
                        "io.aiel.plane.execution.requested.v1",
                        "io.aiel.plane.policy.decided.v1",
                        "io.aiel.plane.execution.admitted.v1",
                        "io.aiel.plane.egress.allowed.v1")
                .endsWith("io.aiel.plane.execution.finished.v1");
        assertThat(trail.stream().filter(r -> type(r).equals("io.aiel.plane.egress.allowed.v1")))
                .extracting(r -> r.at("/event/data/scheme").asText() + " "
                        + r.at("/event/data/host").asText() + " "
                        + r.at("/event/data/address").asText())
                .containsExactly("http api.test 127.0.0.1", "https api.test 127.0.0.1");
        assertThat(trail.stream().filter(r -> type(r).equals("io.aiel.plane.egress.closed.v1")))
                .hasSize(2)
                .allSatisfy(
                        r -> assertThat(r.at("/event/data/bytes_sent").asLong()).isPositive());
        for (int i = 0; i < trail.size(); i++) {
            assertThat(trail.get(i).at("/event/sequence").asLong())
                    .as("without a gap")
                    .isEqualTo(i + 1);
        }
    }

    @Test
    void aLargeBodyGoesThrough() {
        JsonNode envelope = call(
                project,
                "post",
                Map.of("url", url("https", "api.test", https.getAddress().getPort()), "bytes", 3_000_000),
                "network");

        assertThat(result(envelope).path("answer").asText()).as("%s", envelope).isEqualTo("got 3000000 at /x");
    }

    /** Server-side request forgery, by every spelling that is known to us: 0 connections at the end. */
    @Test
    void nothingElseIsReachedHoweverItIsSpelt() {
        int port = trap.port();
        int before = trap.connections.get();
        List<String> urls = new ArrayList<>();
        for (String host : List.of(
                "127.0.0.1",
                "127.1",
                "2130706433",
                "0177.0.0.1",
                "0x7f000001",
                "0x7f.1",
                "0.0.0.0",
                "0",
                "[::1]",
                "[::]",
                "[::ffff:127.0.0.1]",
                "[::ffff:7f00:1]",
                "[64:ff9b::7f00:1]",
                "localhost",
                "localhost.",
                "LOCALHOST",
                "inside.test",
                "INSIDE.test.",
                "other.test",
                "x.api.test",
                "api.test.other.test",
                "169.254.169.254",
                "user@127.0.0.1",
                "api.test@127.0.0.1")) {
            urls.add(url("http", host, port));
            urls.add(url("https", host, port));
        }
        urls.add("http://api.test:" + http.getAddress().getPort() + "/redirect");

        JsonNode envelope = call(project, "fetch", Map.of("urls", urls), "network");

        result(envelope)
                .properties()
                .forEach(outcome -> assertThat(outcome.getValue().has("answer"))
                        .as("%s", outcome)
                        .isFalse());
        assertThat(trap.connections.get() - before)
                .as("connections at the trap")
                .isZero();
        List<JsonNode> trail = trail(envelope);
        assertThat(reasons(trail)).contains("private_address", "address_for_name", "not_granted");
        assertThat(trail.stream().filter(r -> type(r).equals("io.aiel.plane.egress.allowed.v1")))
                .as("the redirect's first step alone")
                .hasSize(1);
    }

    @Test
    void aNameThatDoesNotMatchIsRefused() {
        SERVED.remove("/forged");
        JsonNode envelope = call(
                project,
                "forged",
                Map.of(
                        "port",
                        http.getAddress().getPort(),
                        "tls",
                        https.getAddress().getPort()),
                "network");

        result(envelope)
                .properties()
                .forEach(outcome -> assertThat(outcome.getValue().has("answer"))
                        .as("%s", outcome)
                        .isFalse());
        assertThat(reasons(trail(envelope)))
                .containsExactlyInAnyOrder(
                        "host_mismatch",
                        "malformed",
                        "not_tls",
                        "server_name_mismatch",
                        "no_server_name",
                        "not_granted");
        assertThat(SERVED).doesNotContain("/forged", "/tunnel");
    }

    @Test
    void thereIsNoWayAroundTheProxy() {
        int before = trap.connections.get();

        JsonNode envelope = call(project, "around", Map.of("port", trap.port()), "network");

        result(envelope)
                .properties()
                .forEach(outcome -> assertThat(outcome.getValue().has("answer"))
                        .as("%s", outcome)
                        .isFalse());
        assertThat(trap.connections.get()).isEqualTo(before);
    }

    @Test
    void anExecutionThatDoesNotAskHasNoSocketInTheSameProject() {
        JsonNode envelope = call(
                project,
                "fetch",
                Map.of("urls", List.of(url("http", "api.test", http.getAddress().getPort()))));

        assertThat(result(envelope).findValuesAsText("problem"))
                .allSatisfy(problem -> assertThat(problem)
                        .containsAnyOf("Operation not permitted", "name resolution", "Name or service"));
        assertThat(envelope.at("/meta/isolation/seccomp").asText()).isEqualTo("default");
    }

    @Test
    void aProjectWithoutAGrantIsDenied() {
        Answer answer = invoke(ungranted, "fetch", Map.of("urls", List.of()), "network");

        assertThat(answer.status()).isEqualTo(403);
        assertThat(answer.json().at("/error/code").asText()).isEqualTo("POLICY_DENIED");
        assertThat(answer.json().toString()).contains("network is not granted to this project");
    }

    /** The worker stays warm and its module keeps the socket; the connection behind it is gone. */
    @Test
    void connectionsEndWithTheExecution() {
        JsonNode first = call(project, "keep", Map.of("tls", https.getAddress().getPort()), "network");
        assertThat(result(first).path("kept").asInt()).isEqualTo(1);

        JsonNode second = call(project, "use", Map.of(), "network");

        assertThat(result(second).path("kept").asInt()).as("the same worker").isEqualTo(1);
        assertThat(result(second).has("answer")).as("%s", second).isFalse();
        assertThat(SERVED).doesNotContain("/after-the-end");
        assertThat(trail(first).stream().filter(r -> type(r).equals("io.aiel.plane.egress.closed.v1")))
                .extracting(r -> r.at("/event/data/reason").asText())
                .containsExactly("execution_ended");
    }

    /** Where the host has cgroups to count them; else the refusal says so. */
    @Test
    void processesComeWithTheirOwnProfileOrNotAtAll() {
        Answer answer = invoke(project, "processes", Map.of(), "subprocess");

        if (answer.json().path("ok").asBoolean()) {
            assertThat(answer.json().at("/result/answer").asInt()).isEqualTo(42);
            assertThat(answer.json().at("/meta/isolation/seccomp").asText()).isEqualTo("subprocess");
        } else {
            assertThat(answer.json().at("/error/code").asText()).isEqualTo("ISOLATION_UNAVAILABLE");
            assertThat(answer.json().at("/error/message").asText()).contains("cgroups");
        }
        assertThat(invoke(ungranted, "processes", Map.of(), "subprocess").status())
                .isEqualTo(403);
    }

    /** With no network the connection fails in the handler, with processes too: one capability is not the other. */
    @Test
    void processesAreNoNetwork() {
        Answer answer = invoke(project, "around", Map.of("port", trap.port()), "subprocess");

        if (answer.json().path("ok").asBoolean()) {
            answer.json()
                    .path("result")
                    .properties()
                    .forEach(outcome -> assertThat(outcome.getValue().has("answer"))
                            .as("%s", outcome)
                            .isFalse());
        } else {
            assertThat(answer.json().at("/error/code").asText()).isEqualTo("ISOLATION_UNAVAILABLE");
        }
    }
}
