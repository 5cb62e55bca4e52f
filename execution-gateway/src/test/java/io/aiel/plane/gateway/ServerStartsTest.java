package io.aiel.plane.gateway;

import static io.restassured.RestAssured.given;

import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import org.junit.jupiter.api.Test;

@QuarkusTest
@QuarkusTestResource(EmbeddedServers.class)
class ServerStartsTest {
    @Test
    void isAliveOnTheEmbeddedServers() {
        given().when().get("/q/health/live").then().statusCode(200);
    }
}
