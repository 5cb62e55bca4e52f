package io.aiel.plane.callers;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.fixtures.Form;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Results;
import io.aiel.plane.fixtures.SharedPlane;
import io.aiel.plane.fixtures.Waiting;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Clients that hold on to connections: heads that never end, bodies that drip, answers that nobody takes. The others are answered
 * meanwhile, and each slow one is closed in the end. In its long form there are 2,000.
 */
@Tag("callers")
@ExtendWith(SharedPlane.class)
class SlowClientsTest {
    private static final int FILE_BYTES = 8 * 1024 * 1024;
    /** The longest limit, a minute for a body, and time for a machine that does other things. */
    private static final Duration CLOSED_WITHIN = Duration.ofMinutes(3);

    // Heap and direct buffers are 320 MiB each at most: this says that memory is bounded, not that slow clients cost
    // little.
    private static final long GROWTH_KB_MAX = 640_000;

    /** A connection that this test feeds a byte at a time. */
    private static final class Slow {
        private final String kind;
        private final SocketChannel channel;
        private final boolean reads;
        private boolean closed;
        private String seen = "";

        Slow(String kind, SocketChannel channel, boolean reads) {
            this.kind = kind;
            this.channel = channel;
            this.reads = reads;
        }

        /** Sends one byte more and looks whether the peer has closed. */
        void drip() {
            if (closed) {
                return;
            }
            try {
                channel.write(ByteBuffer.wrap(new byte[] {'a'}));
                if (reads) {
                    ByteBuffer some = ByteBuffer.allocate(1024);
                    int read = channel.read(some);
                    seen += new String(some.array(), 0, Math.max(read, 0), StandardCharsets.ISO_8859_1);
                    closed = read < 0;
                }
            } catch (IOException e) {
                closed = true;
            }
        }
    }

    /** Meant to fail without {@code ConnectionWatch}: the heads and the answers stay for ever. */
    @Test
    void goesOnAnsweringOthersAndClosesWhatIsSlow(PackagedPlane plane) throws IOException {
        int each = Form.current().pick(100, 667);
        Project project = plane.newProject("slow" + Long.toHexString(System.nanoTime()));
        String download = bigFile(project);
        long before = residentKb(plane);
        List<Slow> slow = new ArrayList<>();
        long started = System.nanoTime();
        try {
            for (int i = 0; i < each; i++) {
                slow.add(open(plane.uri(), "head", "GET /v1/auth/me HTTP/1.1\r\nHost: plane\r\nX-Slow: ", true));
                slow.add(open(
                        plane.uri(),
                        "body",
                        "POST " + project.path() + "/executions HTTP/1.1\r\nHost: plane\r\nAuthorization: Bearer "
                                + plane.client().token()
                                + "\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{",
                        true));
                slow.add(open(plane.uri(), "answer", "GET " + download + " HTTP/1.1\r\nHost: plane\r\n\r\n", false));
            }
            List<Long> answeredMs = new ArrayList<>();
            Waiting.until(
                    CLOSED_WITHIN,
                    () -> {
                        slow.forEach(Slow::drip);
                        long asked = System.nanoTime();
                        plane.client().get("/v1/auth/me").expect(200);
                        answeredMs.add((System.nanoTime() - asked) / 1_000_000);
                        return slow.stream().filter(one -> !one.closed).count();
                    },
                    left -> left == 0,
                    "the end of all slow connections");
            long growth = residentKb(plane) - before;
            Map<String, Object> figures = new LinkedHashMap<>();
            figures.put("connections", slow.size());
            figures.put("closed_after_s", (System.nanoTime() - started) / 1_000_000_000);
            figures.put("others_asked", answeredMs.size());
            figures.put(
                    "others_slowest_ms",
                    answeredMs.stream().mapToLong(Long::longValue).max().orElse(-1));
            figures.put("resident_growth_kb", growth);
            Results.keep("callers", "slow-clients", figures);

            assertThat(answeredMs).as("calls of others meanwhile").hasSizeGreaterThan(5);
            assertThat(growth).as("growth of the server's resident memory, KiB").isLessThan(GROWTH_KB_MAX);
            assertThat(slow.stream().filter(one -> one.kind.equals("body")).map(one -> one.seen))
                    .as("a body that did not come is told so")
                    .anyMatch(seen -> seen.startsWith("HTTP/1.1 408") && seen.contains("REQUEST_TIMEOUT"));
        } finally {
            for (Slow one : slow) {
                one.channel.close();
            }
        }
        // And nothing of what they held is kept from others.
        plane.client().get("/v1/auth/me").expect(200);
        project.execute(Map.of("action", "describe")).expect(200);
    }

    private static Slow open(URI plane, String kind, String begin, boolean reads) throws IOException {
        SocketChannel channel = SocketChannel.open();
        if (!reads) {
            channel.setOption(StandardSocketOptions.SO_RCVBUF, 4096);
        }
        channel.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), plane.getPort()));
        ByteBuffer bytes = ByteBuffer.wrap(begin.getBytes(StandardCharsets.US_ASCII));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
        channel.configureBlocking(false);
        return new Slow(kind, channel, reads);
    }

    /** Path and query of a signed URL of a file that is larger than what sockets hold. */
    private static String bigFile(Project project) {
        project.push(Map.of(
                "entry_point.py",
                "from aiel_sdk import tool\n\n\n@tool(\"echo\")\ndef echo(ctx, payload):\n    return payload\n",
                "big.txt",
                "0123456789abcdef".repeat(FILE_BYTES / 16)));
        String url = project.client()
                .post(project.path() + "/downloads:sign?path=big.txt", Map.of())
                .expect(200)
                .path("signed_url")
                .asText();
        URI signed = URI.create(url);
        return signed.getRawPath() + "?" + signed.getRawQuery();
    }

    private static long residentKb(PackagedPlane plane) throws IOException {
        return Files.readString(
                        Path.of("/proc", Long.toString(plane.process().pid()), "status"), StandardCharsets.UTF_8)
                .lines()
                .filter(line -> line.startsWith("VmRSS:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                .findFirst()
                .orElseThrow();
    }
}
