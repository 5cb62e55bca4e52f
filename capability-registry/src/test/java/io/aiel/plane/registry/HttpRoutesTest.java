package io.aiel.plane.registry;

import static org.assertj.core.api.Assertions.assertThat;

import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.aiel.plane.vocabulary.CapabilityRef;
import io.aiel.plane.vocabulary.Digest;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Which handler a path leads to, and which it does not. */
class HttpRoutesTest {
    private static final HttpRoutes ROUTES = routes(
            "GET /users/{id}",
            "GET /users/me",
            "PUT /users/{id}",
            "GET /{any}/me",
            "GET /users/{id}/orders/{order}",
            "GET /",
            "get /lower",
            "GET /odd/{a}b");

    @Test
    void prefersTheHandlerWhosePathIsExactlyTheRequests() {
        assertThat(found("GET", "/users/me")).contains("GET /users/me");
        assertThat(found("GET", "/users/7")).contains("GET /users/{id}");
    }

    @Test
    void prefersATextBeforeAParameterFromTheLeft() {
        assertThat(found("GET", "/users/you")).contains("GET /users/{id}");
        assertThat(found("GET", "/teams/me")).contains("GET /{any}/me");
    }

    @Test
    void takesAParameterForOneWholeSegmentThatIsNotEmpty() {
        assertThat(found("GET", "/users/")).isEmpty();
        assertThat(found("GET", "/users/7/")).isEmpty();
        assertThat(found("GET", "/users/7/orders")).isEmpty();
        assertThat(found("GET", "/odd/xb")).isEmpty();
        assertThat(found("GET", "/odd/{a}b")).contains("GET /odd/{a}b");
    }

    @Test
    void comparesMethodsWithoutRegardToHowTheCodeWroteThem() {
        assertThat(found("GET", "/lower")).contains("get /lower");
        assertThat(found("POST", "/users/7")).isEmpty();
    }

    @Test
    void listsTheMethodsOfAPath() {
        assertThat(ROUTES.methods("/users/7")).containsExactly("GET", "PUT");
        assertThat(ROUTES.methods("/users/me")).containsExactly("GET", "PUT");
        assertThat(ROUTES.methods("/nowhere")).isEmpty();
        assertThat(ROUTES.methods("/")).containsExactly("GET");
    }

    @Test
    void namesWhatStandsInThePlaceOfEachParameter() {
        assertThat(HttpRoutes.parameters("/users/{id}/orders/{order}", "/users/ä b/orders/%2e"))
                .isEqualTo(Map.of("id", "ä b", "order", "%2e"));
        assertThat(HttpRoutes.parameters("/users/me", "/users/me")).isEmpty();
        assertThat(HttpRoutes.parameters("/users/{id}", "/other/7")).isEmpty();
    }

    private static Optional<String> found(String method, String path) {
        return ROUTES.find(method, path).map(capability -> capability.ref().name());
    }

    private static HttpRoutes routes(String... names) {
        return HttpRoutes.of(Stream.of(names).map(HttpRoutesTest::handler).toList());
    }

    private static Capability handler(String name) {
        String[] parts = name.split(" ", 2);
        return new Capability(
                new CapabilityRef(CapabilityKind.HTTP, name),
                "",
                "",
                List.of(),
                Optional.empty(),
                Optional.empty(),
                List.of(),
                List.of(),
                Digest.of(name),
                Optional.of(parts[0]),
                Optional.of(parts[1]),
                Optional.empty(),
                "",
                0);
    }
}
