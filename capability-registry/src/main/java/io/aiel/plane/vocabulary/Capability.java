package io.aiel.plane.vocabulary;

import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * One thing that a snapshot exports and that can be invoked, with everything its author said of it.
 *
 * @param contractDigest over name, schemas, allowed actions and routes: equal digests promise an equal contract
 * @param method set for kind {@code http} only
 * @param path set for kind {@code http} only
 * @param server set for kind {@code mcp} only
 * @param file where it is defined, relative to the snapshot's root
 * @param line where it is defined, from 1; 0 when not known
 */
public record Capability(
        CapabilityRef ref,
        String description,
        String version,
        List<String> tags,
        Optional<JsonText> inputSchema,
        Optional<JsonText> outputSchema,
        List<String> allowedActions,
        List<String> allowedRoutes,
        Digest contractDigest,
        Optional<String> method,
        Optional<String> path,
        Optional<String> server,
        String file,
        int line) {
    public Capability {
        Objects.requireNonNull(ref, "ref");
        Objects.requireNonNull(contractDigest, "contractDigest");
        tags = List.copyOf(tags);
        allowedActions = List.copyOf(allowedActions);
        allowedRoutes = List.copyOf(allowedRoutes);
    }
}
