package io.aiel.plane.callers;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.Results;
import io.aiel.plane.fixtures.SharedPlane;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Without a token nothing but liveness and readiness answers, however the path is spelt. The paths are those of the served OpenAPI
 * document, which {@link MatrixTest} compares with the code, and what extensions serve below {@code /q}.
 */
@Tag("callers")
@ExtendWith(SharedPlane.class)
class PathMutationsTest {
    private static final Set<String> OPEN = Set.of("/q/health/live", "/q/health/ready");

    /** What extensions serve, or would if they were switched on. */
    private static final List<String> OPERATIONS = List.of(
            "/q/metrics",
            "/q/health",
            "/q/health/started",
            "/q/health/well",
            "/q/health/group",
            "/q/openapi",
            "/q/openapi.json",
            "/q/swagger-ui",
            "/q/dev",
            "/q/info",
            "/q/arc/beans",
            "/q/logging-manager",
            "/openapi",
            "/metrics",
            "/health");

    private static final List<List<String>> DISGUISES = List.of(
            List.of("X-HTTP-Method-Override: GET"),
            List.of("X-Method-Override: GET", "X-HTTP-Method: GET"),
            List.of("X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1;host=plane"),
            List.of("X-Forwarded-Prefix: /q/health/live", "X-Forwarded-User: admin", "X-Remote-User: admin"),
            List.of("Authorization: Bearer "),
            List.of("Authorization: Bearer null", "X-API-Token: "),
            List.of("Authorization: Basic YWRtaW46YWRtaW4="),
            List.of("X-API-Token: aielp_usr_000000000000000000000000000000000000"),
            List.of("Cookie: token=aielp_usr_000000000000000000000000000000000000"),
            List.of("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
            List.of("Range: bytes=0-1"),
            List.of("Accept: */*", "Origin: null", "Access-Control-Request-Method: GET"));

    /**
     * Meant to fail with {@code OperationsGuard} comparing the part of the path before a semicolon with the open paths (2xx for
     * {@code /q/health/live;…}).
     */
    @Test
    void opensNothingToWhoeverSpellsAPathInAnotherWay(PackagedPlane plane) {
        Wire wire = new Wire(plane.uri());
        List<String> opened = new ArrayList<>();
        int sent = 0;
        for (Map.Entry<String, String> endpoint : endpoints(plane)) {
            for (String target : PathMutations.of(endpoint.getValue())) {
                sent += check(wire, endpoint.getKey(), target, List.of(), opened);
            }
        }
        for (String open : OPEN) {
            for (String target : PathMutations.of(open)) {
                // The path itself with any query is what is open.
                if (!target.equals(open) && !target.startsWith(open + "?")) {
                    sent += check(wire, "GET", target, List.of(), opened);
                }
            }
        }
        Results.keep("callers", "path-mutations", Map.of("requests", sent, "opened", opened.size()));

        assertThat(opened).isEmpty();
        assertThat(sent).as("requests; the list of paths must not be empty").isGreaterThan(2_500);
    }

    @Test
    void opensNothingToAnotherMethodOrDisguise(PackagedPlane plane) {
        Wire wire = new Wire(plane.uri());
        List<String> opened = new ArrayList<>();
        int sent = 0;
        for (Map.Entry<String, String> endpoint : endpoints(plane)) {
            String path = endpoint.getValue();
            for (String method :
                    List.of("GET", "HEAD", "OPTIONS", "TRACE", "POST", "PUT", "PATCH", "DELETE", "get", "X")) {
                sent += check(wire, method, path, List.of(), opened);
            }
            for (List<String> disguise : DISGUISES) {
                sent += check(wire, endpoint.getKey(), path, disguise, opened);
            }
            // The path in a header, the target something that nobody minds.
            sent += check(wire, "GET", "/", List.of("X-Original-URL: " + path, "X-Rewrite-URL: " + path), opened);
            sent += check(wire, "GET", "/v1/nothing", List.of("X-Original-URL: " + path), opened);
        }
        Results.keep("callers", "path-disguises", Map.of("requests", sent, "opened", opened.size()));

        assertThat(opened).isEmpty();
    }

    private static int check(Wire wire, String method, String target, List<String> headers, List<String> opened) {
        Wire.Answer answer = wire.request(method, target, headers.toArray(new String[0]));
        // 0: the connection was closed without an answer, which opens nothing either.
        if (answer.status() != 0 && (answer.status() < 400 || answer.status() >= 500)) {
            opened.add(method + " " + target + " " + headers + " → " + answer.status());
        }
        return 1;
    }

    private static List<Map.Entry<String, String>> endpoints(PackagedPlane plane) {
        List<Map.Entry<String, String>> endpoints = new ArrayList<>();
        Set<String> paths = new TreeSet<>();
        for (Operations.Operation operation : Operations.of(plane.client())) {
            String path = operation.path().replaceAll("\\{\\w+\\}", "x");
            if (paths.add(operation.method() + path)) {
                endpoints.add(Map.entry(operation.method(), path));
            }
        }
        OPERATIONS.forEach(path -> endpoints.add(Map.entry("GET", path)));
        return endpoints;
    }
}
