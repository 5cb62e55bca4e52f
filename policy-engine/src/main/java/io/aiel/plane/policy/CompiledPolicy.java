package io.aiel.plane.policy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.vocabulary.Digest;
import java.io.IOException;
import java.io.InputStream;

/** A policy as OPA's compiler wrote it, with the entry point that is asked. Immutable. */
final class CompiledPolicy {
    private static final String WASM = "default-policy.wasm";
    private static final String DESCRIPTION = "default-policy.json";

    private final byte[] wasm;
    private final String entryPoint;
    private final Digest digest;

    CompiledPolicy(byte[] wasm, String entryPoint) {
        this.wasm = wasm.clone();
        this.entryPoint = entryPoint;
        this.digest = Digest.of(wasm);
    }

    /** The default policy that is part of this module. Throws {@link PolicyInvalid} when its two files disagree. */
    static CompiledPolicy defaultPolicy() {
        byte[] wasm = resource(WASM);
        JsonNode description;
        try {
            description = new ObjectMapper().readTree(resource(DESCRIPTION));
        } catch (IOException e) {
            throw new PolicyInvalid(DESCRIPTION + " is not JSON", e);
        }
        CompiledPolicy policy =
                new CompiledPolicy(wasm, description.path("entry_point").asText());
        if (!policy.digest.value().equals(description.path("wasm_digest").asText())) {
            throw new PolicyInvalid(WASM + " has digest " + policy.digest + " and " + DESCRIPTION
                    + " describes another one; run policy-engine/compile-policy");
        }
        return policy;
    }

    /** A copy of the bytes. */
    byte[] wasm() {
        return wasm.clone();
    }

    String entryPoint() {
        return entryPoint;
    }

    Digest digest() {
        return digest;
    }

    private static byte[] resource(String name) {
        try (InputStream in = CompiledPolicy.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new PolicyInvalid(name + " is not in the policy-engine jar; run policy-engine/compile-policy");
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new PolicyInvalid(name + " cannot be read", e);
        }
    }
}
