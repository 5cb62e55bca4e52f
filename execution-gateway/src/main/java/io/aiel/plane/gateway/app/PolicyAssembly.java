package io.aiel.plane.gateway.app;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.policy.PolicyEngineSettings;
import io.aiel.plane.policy.WasmPolicyEngine;
import io.aiel.plane.vocabulary.JsonText;
import io.quarkus.runtime.Startup;
import jakarta.enterprise.inject.Disposes;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Makes the policy engine. The engine builds its instances on a thread of its own; until they are there it denies everything,
 * and the server is not ready.
 */
class PolicyAssembly {
    @Produces
    @Singleton
    @Startup
    WasmPolicyEngine policyEngine(PolicyConfig config, ObjectMapper json) {
        PolicyEngineSettings defaults = PolicyEngineSettings.defaults();
        return WasmPolicyEngine.create(new PolicyEngineSettings(
                config.instances().orElse(defaults.instances()),
                config.checkoutTimeout(),
                config.evaluationBudget(),
                config.argumentsBytesMax(),
                config.memoryMibMax(),
                config.dataFile().map(file -> data(file, json)).orElse(defaults.data())));
    }

    void close(@Disposes WasmPolicyEngine engine) {
        engine.close();
    }

    private static JsonText data(Path file, ObjectMapper json) {
        try {
            String text = Files.readString(file);
            if (!json.readTree(text).isObject()) {
                throw new IllegalArgumentException("plane.policy.data-file " + file + " must hold one JSON object");
            }
            return new JsonText(text);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException("plane.policy.data-file " + file + " is not JSON", e);
        } catch (IOException e) {
            throw new UncheckedIOException("plane.policy.data-file " + file + " cannot be read", e);
        }
    }
}
