package io.aiel.plane.registry.input;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.networknt.schema.Error;
import com.networknt.schema.ExecutionContext;
import com.networknt.schema.InputFormat;
import com.networknt.schema.OutputFormat;
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
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Checks inputs against the JSON Schemas (draft 2020-12) that capabilities declare, before a worker is woken, and results against
 * those that they promise. A schema that says {@code derived: true} was made of a signature and is for readers: nothing is checked
 * against it. Schemas come from tenants: references to elsewhere are refused and the work is metered. Thread-safe; computation
 * without I/O.
 */
public final class InputCheck {
    /** More than this many problems help nobody. */
    private static final int PROBLEMS_MAX = 100;

    private static final ObjectMapper JSON = new ObjectMapper();

    private final Map<Key, Optional<Schema>> compiled;

    private record Key(Digest contract, boolean output) {}

    /** @param schemasMax compiled schemas kept; the one longest unused goes first */
    public InputCheck(int schemasMax) {
        this.compiled = new LinkedHashMap<>(16, 0.75f, true) {
            private static final long serialVersionUID = 1L;

            @Override
            protected boolean removeEldestEntry(Map.Entry<Key, Optional<Schema>> eldest) {
                return size() > schemasMax;
            }
        };
    }

    /** The problems, at most a hundred; empty when the input fits or the capability declares no schema. */
    public List<InputProblem> check(Capability capability, JsonNode input) {
        return check(new Key(capability.contractDigest(), false), capability.inputSchema(), () -> input, "input");
    }

    /**
     * The same for what the capability gave back and the schema that it promises.
     *
     * @param output asked only where there is something to check it against
     */
    public List<InputProblem> checkOutput(Capability capability, Supplier<JsonNode> output) {
        return check(new Key(capability.contractDigest(), true), capability.outputSchema(), output, "output");
    }

    /** The problems of a value with a schema that no capability declares, such as a connector's; at most a hundred. */
    public List<InputProblem> check(JsonText schema, JsonNode value) {
        return check(new Key(Digest.of(schema.value()), false), Optional.of(schema), () -> value, "value");
    }

    private List<InputProblem> check(Key key, Optional<JsonText> declared, Supplier<JsonNode> value, String what) {
        if (declared.isEmpty()) {
            return List.of();
        }
        try {
            Optional<Schema> schema = schema(key, declared.get());
            if (schema.isEmpty()) {
                return List.of();
            }
            ExecutionContext metered =
                    new MeteredContext(schema.get().createExecutionContext().getExecutionConfig());
            return MeteredPattern.together(() -> schema.get().validate(metered, value.get(), OutputFormat.DEFAULT))
                    .stream()
                    .limit(PROBLEMS_MAX)
                    .map(InputCheck::problem)
                    .toList();
        } catch (MeteredPattern.TooMuchWork e) {
            return List.of(new InputProblem(
                    "", "checking this " + what + " against the capability's schema takes too much work"));
        } catch (RuntimeException | StackOverflowError e) {
            // A schema that cannot be evaluated (an unresolvable reference, endless recursion) fits nothing: anything
            // unsure is
            // denied, and the author sees why.
            return List.of(new InputProblem("", "the capability's own " + what + " schema cannot be evaluated"));
        }
    }

    private Optional<Schema> schema(Key key, JsonText declared) {
        synchronized (compiled) {
            return compiled.computeIfAbsent(
                    key, _ -> isDerived(declared) ? Optional.empty() : Optional.of(compile(declared)));
        }
    }

    private static boolean isDerived(JsonText schema) {
        try {
            return JSON.readTree(schema.value()).path("derived").asBoolean(false);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException("a schema is JSON", e);
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
