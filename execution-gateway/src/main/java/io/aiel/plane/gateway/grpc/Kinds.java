package io.aiel.plane.gateway.grpc;

import io.aiel.grpc.plane.v1.Kind;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.CapabilityKind;
import java.util.Optional;

/** The kinds of capability, here and there. */
final class Kinds {
    private Kinds() {}

    /** Empty where none is named; throws a {@link Refusal} for one that is none. */
    static Optional<CapabilityKind> of(Kind kind) {
        return switch (kind) {
            case KIND_UNSPECIFIED -> Optional.empty();
            case KIND_TOOL -> Optional.of(CapabilityKind.TOOL);
            case KIND_AGENT -> Optional.of(CapabilityKind.AGENT);
            case KIND_FLOW -> Optional.of(CapabilityKind.FLOW);
            case KIND_ROUTER -> Optional.of(CapabilityKind.ROUTER);
            case KIND_HTTP -> Optional.of(CapabilityKind.HTTP);
            case KIND_MCP -> Optional.of(CapabilityKind.MCP);
            case UNRECOGNIZED -> throw Refusal.invalid("kind", "is not a known kind");
        };
    }

    static Kind of(CapabilityKind kind) {
        return switch (kind) {
            case TOOL -> Kind.KIND_TOOL;
            case AGENT -> Kind.KIND_AGENT;
            case FLOW -> Kind.KIND_FLOW;
            case ROUTER -> Kind.KIND_ROUTER;
            case HTTP -> Kind.KIND_HTTP;
            case MCP -> Kind.KIND_MCP;
        };
    }
}
