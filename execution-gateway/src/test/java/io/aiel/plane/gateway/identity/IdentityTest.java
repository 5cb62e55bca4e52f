package io.aiel.plane.gateway.identity;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.gateway.EmbeddedServers;
import io.aiel.plane.policy.PolicyEngine;
import io.aiel.plane.vocabulary.Ids;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Tuple;
import jakarta.inject.Inject;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Who is recognised, who may do what, and who learns nothing: over HTTP, with the real database and the real policy. */
@QuarkusTest
@QuarkusTestResource(EmbeddedServers.class)
class IdentityTest {
    @Inject
    @ConfigProperty(name = "quarkus.http.test-port")
    int port;

    @Inject
    Bootstrap bootstrap;

    @Inject
    Pool database;

    @Inject
    PolicyEngine policy;

    private Plane plane;
    private String token;

    @BeforeEach
    void signIn() {
        token = Plane.await(bootstrap::ensureDevelopment);
        plane = new Plane("http://127.0.0.1:" + port, token);
        long limit = System.nanoTime() + Duration.ofSeconds(60).toNanos();
        while (!policy.ready() && System.nanoTime() < limit) {
            Thread.onSpinWait();
        }
        assertThat(policy.ready()).as("the policy engine").isTrue();
    }

    @Test
    void tellsTheHolderOfATokenWhoItIsAndWhatItMaySee() {
        Plane.Answer me = plane.get("/v1/auth/me");

        assertThat(me.status()).as(me.body()).isEqualTo(200);
        assertThat(me.text("user_id")).startsWith("prn_").isEqualTo(me.text("id"));
        assertThat(me.text("email")).isEqualTo("developer@development.invalid");
        assertThat(me.text("tenant_id")).startsWith("ten_");
        assertThat(me.text("tenant_name")).isEqualTo("Development");
        assertThat(me.json().path("scopes")).extracting(JsonNode::asText).contains("*");
        assertThat(me.json().path("workspaces")).anySatisfy(workspace -> {
            assertThat(workspace.path("slug").asText()).isEqualTo("demo");
            assertThat(workspace.path("id").asText()).startsWith("ws_");
            assertThat(workspace.path("projects")).anySatisfy(project -> {
                assertThat(project.path("slug").asText()).isEqualTo("hello");
                assertThat(project.path("id").asText()).startsWith("proj_");
            });
        });
    }

    @Test
    void recognisesATokenInEitherHeaderAndInBothWhenTheyAgree() {
        Plane nobody = plane.as("");

        assertThat(nobody.send("GET", "/v1/auth/me", "", "X-API-Token", token).status())
                .isEqualTo(200);
        assertThat(nobody.send("GET", "/v1/auth/me", "", "Authorization", "Bearer " + token)
                        .status())
                .isEqualTo(200);
        assertThat(nobody.send("GET", "/v1/auth/me", "", "Authorization", "bearer " + token, "X-API-Token", token)
                        .status())
                .isEqualTo(200);
    }

    /** Meant to fail when broken by making {@code Authentication.presented} take the first header: the case of two tokens turned red. */
    @Test
    void answersEveryFailedAuthenticationAlike() {
        String expired = mint("{\"name\": \"short\", \"scopes\": [\"*\"]}").text("token");
        execute("UPDATE tokens SET expires_at = now() - interval '1 second' WHERE hash = $1", hash(expired));
        String revoked = mint("{\"name\": \"gone\", \"scopes\": [\"*\"]}").text("token");
        execute("UPDATE tokens SET revoked_at = now() WHERE hash = $1", hash(revoked));
        Plane nobody = plane.as("");
        String other = TokenSecret.mint(TokenKind.USER).reveal();
        List<Plane.Answer> answers = List.of(
                nobody.get("/v1/auth/me"),
                plane.as(expired).get("/v1/auth/me"),
                plane.as(revoked).get("/v1/auth/me"),
                plane.as(other).get("/v1/auth/me"),
                plane.as("aielp_usr_nonsense").get("/v1/auth/me"),
                plane.as(token.substring(0, token.length() - 1)).get("/v1/auth/me"),
                plane.send("GET", "/v1/auth/me", "", "Authorization", "Bearer " + other),
                plane.send("GET", "/v1/auth/me", "", "Authorization", "Basic dXNlcjpwYXNz"),
                nobody.send("GET", "/v1/auth/me", "", "Authorization", "Bearer"));

        assertThat(answers).allSatisfy(answer -> {
            assertThat(answer.status()).isEqualTo(401);
            assertThat(answer.header("www-authenticate")).contains("Bearer");
            assertThat(answer.header("content-type").orElse("")).startsWith("application/problem+json");
            assertThat(answer.code()).isEqualTo("UNAUTHENTICATED");
            assertThat(answer.body()).isEqualTo(answers.getFirst().body());
            assertThat(answer.comparableHeaders()).isEqualTo(answers.getFirst().comparableHeaders());
        });
    }

    /** Meant to fail when broken by not filtering on the tenant in {@code Directory}: the other tenant's ids answered 403 instead. */
    @Test
    void answersAnotherTenantsIdExactlyAsAnUnknownOne() {
        Plane.Answer stranger = plane.post(
                "/v1/tenants",
                "{\"slug\": \"" + unique()
                        + "\", \"name\": \"Other\", \"admin\": {\"email\": \"admin@other.invalid\"}}");
        assertThat(stranger.status()).as(stranger.body()).isEqualTo(201);
        Plane other = plane.as(stranger.json().path("admin").path("token").asText());
        Plane.Answer workspace = other.post("/v1/workspaces", "{\"slug\": \"theirs\"}");
        assertThat(workspace.status()).as(workspace.body()).isEqualTo(201);
        Plane.Answer project =
                other.post("/v1/workspaces/theirs/projects", "{\"slug\": \"secret\", \"settings\": {\"a\": 1}}");
        assertThat(project.status()).as(project.body()).isEqualTo(201);
        String theirProject = "/v1/workspaces/" + workspace.text("id") + "/projects/" + project.text("id");
        assertThat(other.get(theirProject).status()).isEqualTo(200);
        String theirPrincipal =
                stranger.json().path("admin").path("principal_id").asText();
        String theirToken = stranger.json().path("admin").path("token_id").asText();

        List<Plane.Answer> answers = new ArrayList<>();
        answers.add(plane.get("/v1/workspaces/" + Ids.create("ws") + "/projects/" + Ids.create("proj")));
        answers.add(plane.get(theirProject));
        answers.add(plane.get("/v1/workspaces/theirs/projects/secret"));
        answers.add(plane.get("/v1/workspaces/demo/projects/" + project.text("id")));
        answers.add(plane.get("/v1/workspaces/" + workspace.text("id")));
        answers.add(plane.get("/v1/workspaces/" + Ids.create("ws")));
        answers.add(plane.get("/v1/principals/" + theirPrincipal));
        answers.add(plane.get("/v1/principals/" + Ids.create("prn")));
        answers.add(plane.delete("/v1/tokens/" + theirToken));
        answers.add(plane.delete("/v1/tokens/" + Ids.create("tok")));
        answers.add(plane.get("/v1/tokens/nonsense"));

        assertThat(answers).allSatisfy(answer -> {
            assertThat(answer.status()).isEqualTo(404);
            assertThat(answer.body()).isEqualTo(answers.getFirst().body());
            assertThat(answer.comparableHeaders()).isEqualTo(answers.getFirst().comparableHeaders());
        });
        assertThat(other.get(theirProject).json().path("settings").path("a").asInt())
                .isEqualTo(1);
    }

    @ParameterizedTest(name = "{0}: {1} {2} is {3}")
    @CsvSource({
        "viewer,    GET,  /v1/workspaces/demo,                200",
        "viewer,    POST, /v1/workspaces,                     403",
        "viewer,    GET,  /v1/principals,                     403",
        "viewer,    GET,  /v1/tokens,                         403",
        "invoker,   GET,  /v1/workspaces/demo/projects/hello, 200",
        "invoker,   POST, /v1/workspaces/demo/projects,       403",
        "developer, POST, /v1/tokens,                         403",
        "developer, POST, /v1/principals,                     403",
        "operator,  GET,  /v1/tokens,                         200",
        "operator,  POST, /v1/workspaces,                     403",
        "auditor,   GET,  /v1/principals,                     200",
        "auditor,   POST, /v1/principals,                     403",
        "admin,     GET,  /v1/tokens,                         200",
        "admin,     POST, /v1/tenants,                        403",
    })
    void letsARoleDoWhatThePolicySaysAndNoMore(String role, String method, String path, int status) {
        Plane as = plane.as(mint("{\"name\": \"matrix\", \"scopes\": [\"*\"], \"roles\": [\"" + role + "\"]}")
                .text("token"));

        Plane.Answer answer = method.equals("GET")
                ? as.get(path)
                : as.post(
                        path,
                        "{\"slug\": \"" + unique() + "\", \"name\": \"x\", \"kind\": \"service\","
                                + "\"scopes\": [\"*\"]}");

        assertThat(answer.status()).as(answer.body()).isEqualTo(status);
        if (status == 403) {
            assertThat(answer.code()).isEqualTo("POLICY_DENIED");
            assertThat(answer.json().path("error").path("details").path("reasons"))
                    .isNotEmpty();
        }
    }

    @Test
    void limitsATokenToItsScopes() {
        Plane narrow = plane.as(
                mint("{\"name\": \"narrow\", \"scopes\": [\"workspace.*\"]}").text("token"));

        assertThat(narrow.get("/v1/workspaces").status()).isEqualTo(200);
        assertThat(narrow.get("/v1/tokens").code()).isEqualTo("POLICY_DENIED");
        assertThat(narrow.get("/v1/auth/me").status()).isEqualTo(200);
    }

    @Test
    void showsAConfinedTokenNothingOutsideItsProject() {
        String second = unique();
        assertThat(plane.post("/v1/workspaces/demo/projects", "{\"slug\": \"" + second + "\"}")
                        .status())
                .isEqualTo(201);
        Plane confined = plane.as(
                mint("{\"name\": \"confined\", \"scopes\": [\"*\"], \"workspace\": \"demo\", \"project\": \"hello\"}")
                        .text("token"));

        Plane.Answer outside = confined.get("/v1/workspaces/demo/projects/" + second);
        Plane.Answer me = confined.get("/v1/auth/me");

        assertThat(confined.get("/v1/workspaces/demo/projects/hello").status()).isEqualTo(200);
        assertThat(outside.status()).isEqualTo(404);
        assertThat(outside.body())
                .isEqualTo(confined.get("/v1/workspaces/demo/projects/no-such").body());
        assertThat(me.json().path("workspaces")).hasSize(1);
        assertThat(me.json().path("workspaces").path(0).path("projects")).hasSize(1);
    }

    @Test
    void holdsARoleOnlyWhereItWasGiven() {
        String mine = unique();
        assertThat(plane.post("/v1/workspaces", "{\"slug\": \"" + mine + "\"}").status())
                .isEqualTo(201);
        Plane.Answer principal = plane.post(
                "/v1/principals",
                "{\"kind\": \"service\", \"name\": \"" + unique() + "\", \"grants\": [{\"role\": \"admin\","
                        + " \"workspace\": \"" + mine + "\"}]}");
        assertThat(principal.status()).as(principal.body()).isEqualTo(201);
        Plane local = plane.as(
                mint("{\"name\": \"local\", \"scopes\": [\"*\"], \"principal_id\": \"" + principal.text("id") + "\"}")
                        .text("token"));

        assertThat(local.post("/v1/workspaces/" + mine + "/projects", "{\"slug\": \"p\"}")
                        .status())
                .isEqualTo(201);
        assertThat(local.get("/v1/workspaces/demo").status()).isEqualTo(404);
        assertThat(local.get("/v1/workspaces").status()).isEqualTo(403);
    }

    /** Meant to fail when broken by leaving {@code Grants.checkScopes} out of the creation of tokens: the wider scope was given. */
    @Test
    void refusesToGiveWhatTheCallerDoesNotHave() {
        Plane admin = plane.as(mint("{\"name\": \"limited admin\", \"scopes\": [\"token.*\", \"principal.*\"],"
                        + " \"roles\": [\"admin\"]}")
                .text("token"));

        List<Plane.Answer> attempts = List.of(
                admin.post("/v1/tokens", "{\"name\": \"x\", \"scopes\": [\"*\"]}"),
                admin.post("/v1/tokens", "{\"name\": \"x\", \"scopes\": [\"platform.*\"]}"),
                admin.post("/v1/tokens", "{\"name\": \"x\", \"scopes\": [\"files.write\"]}"),
                admin.post("/v1/tokens", "{\"name\": \"x\", \"scopes\": [\"token.read\"], \"roles\": [\"auditor\"]}"),
                admin.post(
                        "/v1/principals",
                        "{\"kind\": \"service\", \"name\": \"x\", \"grants\": [{\"role\": \"auditor\"}]}"));

        assertThat(attempts).allSatisfy(answer -> {
            assertThat(answer.status()).as(answer.body()).isEqualTo(403);
            assertThat(answer.code()).isEqualTo("PERMISSION_DENIED");
        });
        Plane.Answer narrower =
                admin.post("/v1/tokens", "{\"name\": \"x\", \"scopes\": [\"token.read\"], \"roles\": [\"admin\"]}");
        assertThat(narrower.status()).as(narrower.body()).isEqualTo(201);
    }

    /** Meant to fail when broken by leaving {@code forgetAll} out of {@code ControlPlane.change}: the token still worked. */
    @Test
    void endsARevokedTokenAtOnceHere() {
        Plane.Answer made = mint("{\"name\": \"to end\", \"scopes\": [\"*\"]}");
        Plane holder = plane.as(made.text("token"));
        assertThat(holder.get("/v1/auth/me").status()).isEqualTo(200);

        assertThat(plane.delete("/v1/tokens/" + made.text("id")).status()).isEqualTo(200);

        assertThat(holder.get("/v1/auth/me").status()).isEqualTo(401);
    }

    @Test
    void endsATokenThatAnotherServerRevokedWithinTwoSeconds() {
        Plane.Answer made = mint("{\"name\": \"to end elsewhere\", \"scopes\": [\"*\"]}");
        Plane holder = plane.as(made.text("token"));
        assertThat(holder.get("/v1/auth/me").status()).isEqualTo(200);

        // As another server would: this one is not told.
        execute("UPDATE tokens SET revoked_at = now() WHERE id = $1", made.text("id"));
        long revokedAt = System.nanoTime();

        while (holder.get("/v1/auth/me").status() == 200) {
            assertThat(Duration.ofNanos(System.nanoTime() - revokedAt)).isLessThan(Duration.ofSeconds(2));
        }
        assertThat(holder.get("/v1/auth/me").status()).isEqualTo(401);
    }

    @Test
    void letsAHolderRevokeItsOwnTokenWhateverItMayDoOtherwise() {
        Plane.Answer made = mint("{\"name\": \"weak\", \"scopes\": [\"files.read\"], \"roles\": [\"viewer\"]}");
        Plane holder = plane.as(made.text("token"));

        Plane.Answer revoked = holder.post("/v1/auth/revoke", "");

        assertThat(revoked.status()).as(revoked.body()).isEqualTo(200);
        assertThat(revoked.json().path("revoked").asInt()).isEqualTo(1);
        assertThat(holder.get("/v1/auth/me").status()).isEqualTo(401);
        assertThat(plane.get("/v1/auth/me").status()).isEqualTo(200);
    }

    @Test
    void revokesAllTokensOfTheirOwnerWhenAskedTo() {
        String name = unique();
        Plane.Answer service = plane.post(
                "/v1/principals",
                "{\"kind\": \"service\", \"name\": \"" + name + "\", \"grants\": [{\"role\": \"viewer\"}]}");
        String body = "{\"name\": \"t\", \"scopes\": [\"*\"], \"principal_id\": \"" + service.text("id") + "\"}";
        Plane first = plane.as(mint(body).text("token"));
        Plane second = plane.as(mint(body).text("token"));
        assertThat(second.get("/v1/auth/me").status()).isEqualTo(200);

        assertThat(first.post("/v1/auth/revoke?all=1", "")
                        .json()
                        .path("revoked")
                        .asInt())
                .isEqualTo(2);

        assertThat(second.get("/v1/auth/me").status()).isEqualTo(401);
    }

    @Test
    void endsAllTokensOfADisabledPrincipal() {
        Plane.Answer service = plane.post(
                "/v1/principals",
                "{\"kind\": \"service\", \"name\": \"" + unique() + "\", \"grants\": [{\"role\": \"viewer\"}]}");
        Plane holder = plane.as(
                mint("{\"name\": \"t\", \"scopes\": [\"*\"], \"principal_id\": \"" + service.text("id") + "\"}")
                        .text("token"));
        assertThat(holder.get("/v1/auth/me").status()).isEqualTo(200);

        assertThat(plane.delete("/v1/principals/" + service.text("id")).status())
                .isEqualTo(200);

        assertThat(holder.get("/v1/auth/me").status()).isEqualTo(401);
    }

    @Test
    void takesARoleAwayAtOnce() {
        Plane.Answer service = plane.post(
                "/v1/principals",
                "{\"kind\": \"service\", \"name\": \"" + unique() + "\", \"grants\": [{\"role\": \"viewer\"}]}");
        Plane holder = plane.as(
                mint("{\"name\": \"t\", \"scopes\": [\"*\"], \"principal_id\": \"" + service.text("id") + "\"}")
                        .text("token"));
        assertThat(holder.get("/v1/workspaces/demo").status()).isEqualTo(200);
        String grant = service.json().path("grants").path(0).path("id").asText();

        assertThat(plane.delete("/v1/principals/" + service.text("id") + "/grants/" + grant)
                        .status())
                .isEqualTo(200);

        assertThat(holder.get("/v1/workspaces/demo").status()).isEqualTo(404);
    }

    @Test
    void namesEveryWrongFieldAtOnce() {
        Plane.Answer answer = plane.post(
                "/v1/tokens",
                "{\"name\": \"\", \"scopes\": [\"files.read\", \"No Scope\"], \"roles\": [\"king\"],"
                        + " \"expires_in_seconds\": 0, \"project\": \"hello\"}");

        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.code()).isEqualTo("VALIDATION_ERROR");
        assertThat(answer.json().path("error").path("details").path("errors"))
                .extracting(error -> error.path("pointer").asText())
                .containsExactlyInAnyOrder("/name", "/scopes/1", "/roles/0", "/expires_in_seconds", "/workspace");
    }

    @Test
    void refusesASecondWorkspaceWithTheSameSlug() {
        Plane.Answer again = plane.post("/v1/workspaces", "{\"slug\": \"demo\"}");

        assertThat(again.status()).as(again.body()).isEqualTo(409);
        assertThat(again.code()).isEqualTo("ALREADY_EXISTS");
    }

    @Test
    void pagesThroughAListWithoutLosingOrRepeatingAnything() {
        String prefix = unique();
        List<String> wanted = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            wanted.add(plane.post("/v1/workspaces", "{\"slug\": \"" + prefix + "-" + i + "\"}")
                    .text("id"));
        }

        List<String> seen = new ArrayList<>();
        String cursor = "";
        do {
            Plane.Answer page = plane.get("/v1/workspaces?limit=2" + (cursor.isEmpty() ? "" : "&cursor=" + cursor));
            page.json().path("items").forEach(item -> seen.add(item.path("id").asText()));
            cursor = page.text("next_cursor");
        } while (!cursor.isEmpty());

        assertThat(seen).doesNotHaveDuplicates().containsAll(wanted);
        assertThat(plane.get("/v1/workspaces?limit=0").code()).isEqualTo("VALIDATION_ERROR");
        assertThat(plane.get("/v1/workspaces?limit=x").code()).isEqualTo("VALIDATION_ERROR");
        assertThat(plane.get("/v1/workspaces?cursor=x").code()).isEqualTo("VALIDATION_ERROR");
    }

    @Test
    void recordsADenialInTheTenantsControlStream() {
        Plane viewer = plane.as(mint("{\"name\": \"v\", \"scopes\": [\"*\"], \"roles\": [\"viewer\"]}")
                .text("token"));

        Plane.Answer denied = viewer.send(
                "POST",
                "/v1/workspaces",
                "{}",
                "Content-Type",
                "application/json",
                "X-Request-Id",
                "req-denied-" + unique());

        assertThat(denied.status()).isEqualTo(403);
        String id = denied.header("x-request-id").orElseThrow();
        long records =
                Plane.await(() -> database.preparedQuery("SELECT count(*) FROM audit_outbox WHERE canonical LIKE $1")
                        .execute(Tuple.of("%" + id + "%"))
                        .map(rows -> rows.iterator().next().getLong(0)));
        assertThat(records).isEqualTo(1);
    }

    @Test
    void keepsNoTokenInTheDatabase() {
        Plane.Answer made = mint("{\"name\": \"kept\", \"scopes\": [\"*\"]}");
        String random = made.text("token").substring("aielp_usr_".length());

        long found =
                Plane.await(() -> database.preparedQuery("SELECT (SELECT count(*) FROM tokens t WHERE t::text LIKE $1)"
                                + " + (SELECT count(*) FROM audit_outbox a WHERE a::text LIKE $1)")
                        .execute(Tuple.of("%" + random + "%"))
                        .map(rows -> rows.iterator().next().getLong(0)));

        assertThat(found).isZero();
        assertThat(plane.get("/v1/tokens/" + made.text("id")).json().has("token"))
                .isFalse();
    }

    @Test
    void keepsAnExistingDevelopmentTokenThatStillWorks() {
        assertThat(Plane.await(() -> bootstrap.ensureDevelopment(Optional.of(token))))
                .isEqualTo(token);
        assertThat(Plane.await(() -> bootstrap.ensureDevelopment(Optional.of("nonsense"))))
                .isNotEqualTo(token);
    }

    @Test
    void givesAPlatformTokenThatMakesTenants() {
        Plane operator = plane.as(Plane.await(() -> bootstrap.ensurePlatform("first")));

        assertThat(operator.get("/v1/auth/me").text("tenant_name")).isEqualTo("Platform");
        assertThat(operator.post("/v1/tenants", "{\"slug\": \"" + unique() + "\"}")
                        .status())
                .isEqualTo(201);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/q/metrics",
                "/q/metrics/",
                "/q//metrics",
                "//q/metrics",
                "/q/./metrics",
                "/q/health/live/../../metrics",
                "/q/health/live/%2e%2e/%2e%2e/metrics",
                "/v1/../q/metrics",
                "/v1/%2e%2e/q/metrics",
                "/%71/metrics",
                "/q/metrics;x",
                "/q;x/metrics",
                "/Q/METRICS",
                "/q/health",
                "/q/health/",
                "/q/health/live/",
                "/q/health/live;x",
                "/q/openapi",
                "/q/dev",
                "/",
                "/v1/auth/me",
                "/v1/auth/me/",
                "/v1/auth//me",
                "/v1//auth/me",
                "//v1/auth/me",
                "/v1/auth/me;x",
                "/v1;x/auth/me",
                "/v1/auth/%6de",
                "/v1/./auth/me",
                "/v1/x/../auth/me",
                "/v1/x/%2e%2e/auth/me",
                "/V1/auth/me",
                "/v1/AUTH/me",
                "/v1/workspaces",
                "/v1/workspaces/demo/projects/hello",
                "/q/health/live/%2e%2e/%2e%2e/%2e%2e/v1/auth/me",
            })
    void answersNoSpellingOfAPathWithoutAToken(String path) {
        Plane.Answer answer = plane.as("").get(path);

        assertThat(answer.status()).as(answer.body()).isBetween(400, 499);
    }

    @Test
    void answersLivenessAndReadinessWithoutAToken() {
        assertThat(plane.as("").get("/q/health/live").status()).isEqualTo(200);
        assertThat(plane.as("").get("/q/health/ready").body()).contains("\"database\"", "\"policy\"");
    }

    @Test
    void showsMetricsToAPlatformOperatorOnly() {
        Plane tenantAdmin = plane.as(mint("{\"name\": \"a\", \"scopes\": [\"*\"], \"roles\": [\"admin\"]}")
                .text("token"));

        assertThat(plane.get("/q/metrics").status()).isEqualTo(200);
        assertThat(tenantAdmin.get("/q/metrics").status()).isEqualTo(403);
        assertThat(plane.get("/q/openapi").body()).contains("/v1/auth/me");
    }

    private Plane.Answer mint(String body) {
        Plane.Answer answer = plane.post("/v1/tokens", body);
        assertThat(answer.status()).as(answer.body()).isEqualTo(201);
        return answer;
    }

    private void execute(String sql, String parameter) {
        int rows = Plane.await(
                () -> database.preparedQuery(sql).execute(Tuple.of(parameter)).map(done -> done.rowCount()));
        assertThat(rows).isEqualTo(1);
    }

    private static String hash(String token) {
        return TokenSecret.parse(token).orElseThrow().hash().value();
    }

    private static String unique() {
        return Ids.create("t").substring(2);
    }
}
