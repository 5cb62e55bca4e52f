package io.aiel.plane.registry.input;

import com.fasterxml.jackson.databind.JsonNode;
import com.networknt.schema.Error;
import com.networknt.schema.InputFormat;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SchemaRegistryConfig;
import com.networknt.schema.SpecificationVersion;
import com.networknt.schema.path.PathType;
import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.JsonText;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Checks inputs against the JSON Schemas (draft 2020-12) that capabilities declare, before a worker is woken. Schemas come
 * from tenants: references to elsewhere are refused and patterns are metered. Thread-safe; computation without I/O.
 */
public final class InputCheck {
    /** More than this many problems help nobody. */
    private static final int PROBLEMS_MAX = 20;

    private final Map<Digest, Schema> compiled;

    /** @param schemasMax compiled schemas kept; the one longest unused goes first */
    public InputCheck(int schemasMax) {
        this.compiled = new LinkedHashMap<>(16, 0.75f, true) {
            private static final long serialVersionUID = 1L;

            @Override
            protected boolean removeEldestEntry(Map.Entry<Digest, Schema> eldest) {
                return size() > schemasMax;
            }
        };
    }

    /** The problems, at most twenty; empty when the input fits or the capability declares no schema. */
    public List<InputProblem> check(Capability capability, JsonNode input) {
        if (capability.inputSchema().isEmpty()) {
            return List.of();
        }
        try {
            return schema(capability).validate(input).stream()
                    .limit(PROBLEMS_MAX)
                    .map(InputCheck::problem)
                    .toList();
        } catch (RuntimeException | StackOverflowError e) {
            // A schema that cannot be evaluated (an unresolvable reference, endless recursion) fits nothing: anything
            // unsure is
            // denied, and the author sees why.
            return List.of(new InputProblem("", "the capability's own input schema cannot be evaluated"));
        }
    }

    private Schema schema(Capability capability) {
        synchronized (compiled) {
            return compiled.computeIfAbsent(
                    capability.contractDigest(),
                    _ -> compile(capability.inputSchema().orElseThrow()));
        }
    }

    /** Each schema has a registry of its own, so that no tenant's {@code $id} can stand in for another's. */
    private static Schema compile(JsonText schema) {
        SchemaRegistryConfig config = SchemaRegistryConfig.builder()
                .pathType(PathType.JSON_POINTER)
                .regularExpressionFactory(MeteredPattern::new)
                .build();
        return SchemaRegistry.withDefaultDialect(
                        SpecificationVersion.DRAFT_2020_12,
                        builder -> builder.schemaRegistryConfig(config)
                                .schemaLoader(loader ->
                                        loader.fetchRemoteResources(false).block(_ -> true)))
                .getSchema(schema.value(), InputFormat.JSON);
    }

    private static InputProblem problem(Error error) {
        return new InputProblem(error.getInstanceLocation().toString(), error.getMessage());
    }
}
