package io.aiel.plane.hydrator;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.NetworkHost;
import io.aiel.plane.vocabulary.Obligations;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The way of a worker's code to the plane's API, with a real worker in real namespaces and a server of the test's own as the API. */
class PlaneAccessTest {
    private static final String CODE = """
            import json, os, socket, threading, time, urllib.request, urllib.error
            from aiel_sdk import tool

            direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

            def get(path, body=None):
                with direct.open("http://127.0.0.1:3129" + path, data=body, timeout=20) as answer:
                    return answer.read().decode()

            @tool("ask")
            def ask(ctx, event):
                try:
                    return {"answer": get("/ask", b"x" * event.get("bytes", 1))}
                except OSError as problem:
                    return {"problem": "%s: %s" % (type(problem).__name__, problem)}

            @tool("profile")
            def profile(ctx, event):
                path = os.path.join(os.environ["HOME"], ".config/aiel/credentials.json")
                return {"there": os.path.exists(path), "profile": json.load(open(path)) if os.path.exists(path) else None,
                        "mode": oct(os.stat(path).st_mode & 0o777) if os.path.exists(path) else None}

            @tool("outside")
            def outside(ctx, event):
                try:
                    urllib.request.urlopen("http://granted.example/", timeout=20)
                    return {"got": "out"}
                except urllib.error.HTTPError as problem:
                    return {"refused": problem.code, "why": problem.read().decode()}

            import uuid
            it = str(uuid.uuid4())

            @tool("worker")
            def worker(ctx, event):
                return {"it": it}

            @tool("deaf")
            def deaf(ctx, event):
                import gc
                forwarder = next(o for o in gc.get_objects() if type(o).__name__ == "Forwarder")
                forwarder._receive = lambda: time.sleep(0.02)
                for _ in range(8):
                    s = socket.create_connection(("127.0.0.1", 3129), 5)
                    s.sendall(b"GET /ask HTTP/1.1\\r\\n\\r\\n")
                    held.append(s)
                time.sleep(1)
                return {"deaf": it}

            held = []

            @tool("hold")
            def hold(ctx, event):
                held.append(socket.create_connection(("127.0.0.1", 3129), 5))
                held[-1].sendall(b"GET /held HTTP/1.1\\r\\n\\r\\n")
                return {"held": held[-1].recv(1).decode()}
            """;

    /** So a request without access gets a worker that had one. */
    private static final Obligations NETWORK = new Obligations(
            OptionalInt.empty(),
            OptionalInt.empty(),
            List.of(),
            false,
            List.of(new NetworkHost("granted.example", 80)),
            false,
            Optional.empty(),
            Optional.empty());

    private static Plane plane;
    private static ServerSocket api;
    private static final BlockingQueue<String> ARRIVED = new LinkedBlockingQueue<>();
    private static final BlockingQueue<String> ENDED = new LinkedBlockingQueue<>();

    @BeforeAll
    static void start() throws Exception {
        api = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread.ofVirtual().start(PlaneAccessTest::serve);
        plane = Plane.start(Plane.settings());
    }

    @AfterAll
    static void stop() throws IOException {
        plane.close();
        api.close();
    }

    private static void serve() {
        while (true) {
            try {
                Socket socket = api.accept();
                Thread.ofVirtual().start(() -> answer(socket));
            } catch (IOException e) {
                return;
            }
        }
    }

    private static void answer(Socket socket) {
        try (socket) {
            InputStream in = socket.getInputStream();
            String head = head(in);
            ARRIVED.add(head.lines().findFirst().orElse(""));
            if (head.startsWith("GET /held")) {
                // The code waits for this: what only the worker's kernel took never came to the server, and there is
                // nothing to close.
                socket.getOutputStream().write('!');
                ENDED.add(in.read() < 0 ? "closed" : "more");
                return;
            }
            int length = head.lines()
                    .filter(line -> line.toLowerCase(java.util.Locale.ROOT).startsWith("content-length:"))
                    .mapToInt(line -> Integer.parseInt(line.substring(15).strip()))
                    .findFirst()
                    .orElse(0);
            in.readNBytes(length);
            byte[] body = ("read " + length + " " + "y".repeat(300_000)).getBytes(StandardCharsets.US_ASCII);
            socket.getOutputStream()
                    .write(("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + body.length + "\r\n\r\n")
                            .getBytes(StandardCharsets.US_ASCII));
            socket.getOutputStream().write(body);
        } catch (IOException e) {
            ENDED.add("broken");
        }
    }

    private static String head(InputStream in) throws IOException {
        StringBuilder head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) {
            int next = in.read();
            if (next < 0) {
                throw new IOException("no head");
            }
            head.append((char) next);
        }
        return head.toString();
    }

    private static JsonNode call(String tool, String event, Optional<PlaneAccess> access, Obligations obligations)
            throws Exception {
        return Plane.result(Plane.get(plane.run(
                plane.project(),
                plane.snapshot(CODE),
                Plane.tool(tool, event),
                Duration.ofSeconds(20),
                obligations,
                new Plane.Listener(),
                access.isEmpty(),
                access)));
    }

    private static Optional<PlaneAccess> access() {
        return Optional.of(new PlaneAccess(
                _ -> new Socket(api.getInetAddress(), api.getLocalPort()), new JsonText("{\"version\":1}")));
    }

    @Test
    void leadsTheCodeToTheApiAndNowhereElse() throws Exception {
        JsonNode asked = call("ask", "{\"bytes\":700000}", access(), Obligations.NONE);

        assertThat(asked.path("answer").asText()).startsWith("read 700000 yyy").hasSize(12 + 300_000);
        assertThat(ARRIVED.poll(5, TimeUnit.SECONDS)).isEqualTo("POST /ask HTTP/1.1");
    }

    /** Seen to fail: when the obligations of a policy alone gave hosts to a worker with a way to the API. */
    @Test
    void givesNoHostOfTheOutsideThatTheRequestDidNotAskFor() throws Exception {
        JsonNode refused = call("outside", "{}", access(), NETWORK);

        assertThat(refused.path("refused").asInt()).isEqualTo(403);
        assertThat(refused.path("why").asText()).contains("does not name granted.example:80");
    }

    /** Seen to fail: with the file of the execution before left in place. */
    @Test
    void isClosedToAnExecutionWithoutAccessInAWorkerThatHadIt() throws Exception {
        assertThat(call("profile", "{}", access(), Obligations.NONE).path("profile"))
                .isEqualTo(Plane.read(new JsonText("{\"version\":1}")));
        assertThat(call("profile", "{}", access(), Obligations.NONE)
                        .path("mode")
                        .asText())
                .isEqualTo("0o600");

        JsonNode before = call("worker", "{}", access(), Obligations.NONE);
        JsonNode after = call("worker", "{}", Optional.empty(), NETWORK);
        JsonNode without = call("ask", "{}", Optional.empty(), NETWORK);
        JsonNode file = call("profile", "{}", Optional.empty(), NETWORK);

        assertThat(after.path("it")).isEqualTo(before.path("it"));
        assertThat(without.path("answer").isMissingNode())
                .as(without.toString())
                .isTrue();
        assertThat(file.path("there").asBoolean()).isFalse();
    }

    /** Seen to fail: when the end of an execution waited until its worker had read that its connections were over. */
    @Test
    void endsAnExecutionThatLeavesItsAnswersUnreadAndTheWorkerWithIt() throws Exception {
        JsonNode deaf = call("deaf", "{}", access(), Obligations.NONE);
        assertThat(deaf.path("deaf").isTextual()).as(deaf.toString()).isTrue();

        JsonNode after = call("worker", "{}", access(), Obligations.NONE);

        assertThat(after.path("it").asText())
                .isNotEmpty()
                .isNotEqualTo(deaf.path("deaf").asText());
    }

    /** Seen to fail: without the end of a grant's connections. */
    @Test
    void closesWhatAnExecutionLeftOpenWhenItEnds() throws Exception {
        JsonNode held = call("hold", "{}", access(), Obligations.NONE);

        assertThat(held.path("held").asText()).isEqualTo("!");
        assertThat(ENDED.poll(5, TimeUnit.SECONDS)).isIn("closed", "broken");
    }
}
