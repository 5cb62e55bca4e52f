package io.aiel.plane.vocabulary;

import java.util.Objects;

/**
 * Names a capability within a snapshot.
 *
 * @param kind what it is
 * @param name its name; {@code "<METHOD> <path>"} for {@code http}, {@code "<server>/<tool>"} for {@code mcp}
 */
public record CapabilityRef(CapabilityKind kind, String name) {
    public CapabilityRef {
        Objects.requireNonNull(kind, "kind");
        if (name.isEmpty() || name.length() > 512) {
            throw new IllegalArgumentException("a capability's name has 1 to 512 characters");
        }
    }

    @Override
    public String toString() {
        return kind.wireName() + ":" + name;
    }
}
