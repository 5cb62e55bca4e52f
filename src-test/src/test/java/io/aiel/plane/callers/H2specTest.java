package io.aiel.plane.callers;

import static java.util.stream.Collectors.toMap;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.GrpcClient;
import io.aiel.plane.fixtures.H2spec;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Results;
import io.aiel.plane.fixtures.SharedPlane;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * What h2spec knows of HTTP/2, against gRPC's port, the only one that speaks it. Fails when a new release of the codec, or a setting of
 * ours, does otherwise than the RFCs, or the server no longer serves after it; and when a case that is named here passes, so that the list
 * stays true.
 */
@Tag("callers")
@ExtendWith(SharedPlane.class)
class H2specTest {
    /** 44 of its generic ones, 95 of HTTP/2 and 7 of HPACK. */
    private static final int CASES = 146;

    private static final Duration PATIENCE = Duration.ofSeconds(5);
    private static final Duration LIMIT = Duration.ofMinutes(5);

    private static final String ENDED =
            "a stream that has ended is forgotten, so a frame that was on its way when it was reset and one that is"
                    + " wrong look the same: the frame is refused by a reset, and the connection stays";
    private static final String ANSWERED =
            "the request is answered by 404 or 415 and its stream ended, as RFC 9113, section 8.1.1, lets a"
                    + " server do; no call begins";

    /** The cases that do not pass, and why this is no harm. */
    private static final Map<String, String> DEVIATIONS = Map.of(
            "http2/5.1: closed: Sends a HEADERS frame", ENDED,
            "http2/5.1.1: Sends stream identifier that is numerically smaller than previous", ENDED,
            "http2/8.1.2.3: Sends a HEADERS frame that omits \":method\" pseudo-header field", ANSWERED,
            "http2/8.1.2.3: Sends a HEADERS frame that omits \":scheme\" pseudo-header field", ANSWERED,
            "http2/8.1.2.3: Sends a HEADERS frame that omits \":path\" pseudo-header field", ANSWERED,
            "http2/8.1.2.3: Sends a HEADERS frame with empty \":path\" pseudo-header field",
                    "its stream is reset, by INTERNAL_ERROR instead of PROTOCOL_ERROR");

    /** Those that pass or not by which frame h2spec sees first: the answer to the first head, which was complete, or the end that the second one makes. */
    private static final Set<String> RACES = Set.of("http2/5.1: half closed (remote): Sends a HEADERS frame");

    @TempDir
    Path scratch;

    @Test
    void keepsToTheSpecificationOfHttp2(PackagedPlane plane) throws IOException {
        GrpcClient client = GrpcClient.install();
        Project project = plane.newProject("h2spec-" + Long.toHexString(System.nanoTime()));
        project.push(Map.of("entry_point.py", """
                from aiel_sdk import tool

                @tool("one")
                def one(ctx, payload):
                    return 1
                """));

        Path log = plane.dataDirectory().resolve("logs/server.log");
        long logged = Files.size(log);
        H2spec.Report report = H2spec.run(scratch, plane.grpc(), PATIENCE, LIMIT);

        Map<String, String> faults = report.cases().stream()
                .filter(each -> !each.fault().isEmpty())
                .collect(toMap(H2spec.Case::name, H2spec.Case::fault, (one, _) -> one, TreeMap::new));
        Results.keep("callers", "h2spec", Map.of("cases", report.cases().size(), "faults", faults));
        assertThat(report.cases()).as(report.printed()).hasSizeGreaterThanOrEqualTo(CASES);
        Map<String, String> certain = new TreeMap<>(faults);
        certain.keySet().removeAll(RACES);
        assertThat(certain).as(report.printed()).containsOnlyKeys(DEVIATIONS.keySet());
        assertThat(linesSince(log, logged))
                .as("what strangers can have the server log")
                .isEmpty();
        assertThatItServes(plane, client, project);
    }

    /** Lines of the codec and of what is above it; all that there are when the file was begun anew meanwhile. */
    private static List<String> linesSince(Path log, long bytes) throws IOException {
        byte[] all = Files.readAllBytes(log);
        int from = all.length < bytes ? 0 : (int) bytes;
        return new String(all, from, all.length - from, StandardCharsets.UTF_8)
                .lines()
                .filter(line -> line.contains("io.grpc.netty") || line.contains("codec.http2"))
                .toList();
    }

    private static void assertThatItServes(PackagedPlane plane, GrpcClient client, Project project) {
        JsonNode seen = client.run(
                plane,
                plane.client().token(),
                List.of(
                        Map.of("do", "health"),
                        Map.of(
                                "do",
                                "call",
                                "method",
                                "Describe",
                                "request",
                                Map.of("workspace", project.workspace(), "project", project.id()))));

        assertThat(seen.at("/0/status").asText()).as(seen.toString()).isEqualTo("SERVING");
        assertThat(seen.at("/1").has("response")).as(seen.toString()).isTrue();
    }
}
