package io.aiel.plane.callers;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.SharedPlane;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Pages of others cannot call MCP through somebody's browser, also when their name was made to lead to this server. Seen failing with each
 * {@code Host} taken.
 */
@Tag("callers")
@ExtendWith(SharedPlane.class)
class McpRebindingTest {
    private static final String PING = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}";

    @Test
    void servesMcpOnlyUnderItsOwnNamesAndToItsOwnPages(PackagedPlane plane) {
        Project project = plane.demo();
        Wire wire = new Wire(plane.uri());
        String path = project.path() + "/mcp";
        String token = "Authorization: Bearer " + project.client().token();
        String own = "127.0.0.1:" + plane.uri().getPort();

        assertThat(post(wire, path, own, token)).isEqualTo(200);
        assertThat(post(wire, path, "localhost", token)).isEqualTo(200);
        assertThat(post(wire, path, own, token, "Origin: http://" + own)).isEqualTo(200);
        assertThat(post(wire, path, own, token, "Origin: http://evil.invalid")).isEqualTo(403);
        assertThat(post(wire, path, own, token, "Origin: https://" + own)).isEqualTo(403);
        assertThat(post(wire, path, own, token, "Origin: null")).isEqualTo(403);
        assertThat(post(wire, path, own, "Origin: http://evil.invalid")).isEqualTo(403);
        assertThat(post(wire, path, "evil.invalid", token)).isEqualTo(403);
        assertThat(post(wire, path, "127.0.0.1.evil.invalid", token)).isEqualTo(403);
        assertThat(post(wire, path, "evil.invalid", token, "Origin: http://evil.invalid"))
                .isEqualTo(403);
        assertThat(metadata(wire, path, own)).isEqualTo(200);
        assertThat(metadata(wire, path, "evil.invalid")).isEqualTo(403);
    }

    private static int post(Wire wire, String path, String host, String... headers) {
        List<String> head = new ArrayList<>(List.of("POST " + path + " HTTP/1.1", "Host: " + host));
        head.addAll(List.of(headers));
        head.add("Content-Type: application/json");
        head.add("Content-Length: " + PING.length());
        head.add("Connection: close");
        return wire.send(Wire.head(head.toArray(new String[0])), PING.getBytes(StandardCharsets.UTF_8))
                .status();
    }

    private static int metadata(Wire wire, String path, String host) {
        return wire.send(Wire.head(
                        "GET /.well-known/oauth-protected-resource" + path + " HTTP/1.1",
                        "Host: " + host,
                        "Connection: close"))
                .status();
    }
}
