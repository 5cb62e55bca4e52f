package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the descriptions of the providers have in common. */
class ProviderCatalogueTest {
    @ParameterizedTest
    @ValueSource(strings = {"firebase", "http", "jira", "mongodb", "openai", "postgres", "redis", "slack"})
    void takesNoSecretThatIsTooShortToBeFoundInAnAnswer(String provider) throws IOException {
        JsonNode secrets =
                HttpConnectors.description(provider).path("credentials").path("properties");

        assertThat(secrets).isNotEmpty();
        assertThat(secrets)
                .allSatisfy(secret -> assertThat(secret.path("minLength").asInt())
                        .as(secret.toString())
                        .isGreaterThanOrEqualTo(CredentialScrub.CHARACTERS_MIN));
    }
}
