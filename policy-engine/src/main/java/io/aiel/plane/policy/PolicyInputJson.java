package io.aiel.plane.policy;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Principal;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.ResolvedCapability;
import io.aiel.plane.vocabulary.Role;
import io.aiel.plane.vocabulary.SnapshotRef;
import io.aiel.plane.vocabulary.UnicodeText;
import io.aiel.plane.vocabulary.WorkspaceId;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Writes a {@link PolicyInput} in its one JSON form, {@link PolicyDocument}. Thread-safe. */
final class PolicyInputJson {
    private static final int ARGUMENTS_DEPTH_MAX = 128;
    private static final ObjectWriter WRITER = new ObjectMapper()
            .setPropertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .writerFor(PolicyDocument.class);
    private static final JsonFactory STRICT = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(ARGUMENTS_DEPTH_MAX)
                    .build())
            .build();

    private final int argumentsBytesMax;

    PolicyInputJson(int argumentsBytesMax) {
        this.argumentsBytesMax = argumentsBytesMax;
    }

    /**
     * The JSON, and what forbids deciding on it. With a problem the JSON leaves the arguments out: it is for the record alone.
     *
     * @param problem why there must be no decision; empty when all is well
     */
    record Written(String json, Optional<String> problem) {}

    /** Writes. Throws {@link IllegalArgumentException} when a member has no JSON form, such as half a surrogate pair. */
    Written write(PolicyInput input) {
        Optional<String> problem = strangeCapability(input);
        PolicyDocument.Arguments arguments = null;
        if (input.arguments().isPresent() || input.argumentsDigest().isPresent()) {
            String value = input.arguments().map(JsonText::value).orElse(null);
            int size = value == null ? 0 : value.getBytes(StandardCharsets.UTF_8).length;
            boolean truncated = value == null || size > argumentsBytesMax;
            if (value != null && !truncated) {
                problem = problem.or(() -> problemOf(value));
            }
            arguments = new PolicyDocument.Arguments(
                    truncated || problem.isPresent() ? null : value,
                    input.argumentsDigest()
                            .orElseGet(() -> Digest.of(value == null ? "" : value))
                            .value(),
                    size,
                    truncated || problem.isPresent());
        }
        PolicyDocument document = new PolicyDocument(
                PolicyDocument.VERSION,
                actor(input.principal()),
                input.action(),
                resource(input),
                arguments,
                new PolicyDocument.Context(
                        input.time().toString(),
                        input.sourceAddress(),
                        input.traceId(),
                        input.requestId(),
                        new PolicyDocument.Requested(
                                input.requestedNetwork(), input.requestedSubprocess(), input.timeoutMs())));
        try {
            String json = WRITER.writeValueAsString(document);
            // What is recorded must be what is evaluated: half a surrogate pair would turn into something else on the
            // way.
            if (!UnicodeText.isWellFormed(json)) {
                throw new IllegalArgumentException("the policy input holds text that is not Unicode");
            }
            return new Written(json, problem);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException("the policy input cannot be written as JSON", e);
        }
    }

    /** A decision about one project must never let another project's code run. */
    private static Optional<String> strangeCapability(PolicyInput input) {
        Optional<ProjectScope> owner = input.capability().map(ResolvedCapability::scope);
        return owner.isEmpty() || owner.equals(input.scope())
                ? Optional.empty()
                : Optional.of("the capability belongs to another project than the one asked about");
    }

    /**
     * Arguments are written into the input as they came. If they were not one whole JSON value they could close their own
     * object and go on as the principal; if a member came twice, the policy and the worker could each see another one.
     */
    private static Optional<String> problemOf(String arguments) {
        try (JsonParser parser = STRICT.createParser(arguments)) {
            if (parser.nextToken() == null) {
                return Optional.of("the arguments are empty");
            }
            parser.skipChildren();
            return parser.nextToken() == null
                    ? Optional.empty()
                    : Optional.of("the arguments are more than one JSON value");
        } catch (IOException e) {
            return Optional.of("the arguments are not strict JSON (one value, no member twice, at most "
                    + ARGUMENTS_DEPTH_MAX + " levels deep)");
        }
    }

    private static PolicyDocument.Actor actor(Principal principal) {
        return new PolicyDocument.Actor(
                principal.id().value(),
                principal.kind().wireName(),
                principal.tenant().value(),
                principal.tokenId().value(),
                principal.scopes().stream().sorted().toList(),
                principal.roles().stream().map(Role::wireName).sorted().toList(),
                principal.workspace().map(WorkspaceId::value).orElse(null),
                principal.project().map(ProjectId::value).orElse(null),
                principal.onBehalfOf().map(Object::toString).orElse(null));
    }

    private static PolicyDocument.Resource resource(PolicyInput input) {
        Optional<ProjectScope> scope = input.scope();
        Optional<ResolvedCapability> resolved = input.capability();
        return new PolicyDocument.Resource(
                scope.map(ProjectScope::tenant)
                        .orElse(input.principal().tenant())
                        .value(),
                scope.map(ProjectScope::workspace)
                        .or(input::workspace)
                        .map(WorkspaceId::value)
                        .orElse(null),
                scope.map(ProjectScope::project).map(ProjectId::value).orElse(null),
                input.resourceName(),
                resolved.flatMap(ResolvedCapability::environment).orElse(null),
                resolved.map(ResolvedCapability::snapshot)
                        .map(PolicyInputJson::snapshot)
                        .orElse(null),
                resolved.map(ResolvedCapability::bundle).orElse(null),
                resolved.flatMap(ResolvedCapability::capability)
                        .map(PolicyInputJson::capability)
                        .orElse(null));
    }

    private static PolicyDocument.Snapshot snapshot(SnapshotRef snapshot) {
        return new PolicyDocument.Snapshot(snapshot.digest().value(), snapshot.snapshotId());
    }

    private static PolicyDocument.InvokedCapability capability(Capability capability) {
        return new PolicyDocument.InvokedCapability(
                capability.ref().kind().wireName(),
                capability.ref().name(),
                capability.version(),
                capability.tags(),
                capability.allowedActions(),
                capability.allowedRoutes(),
                capability.contractDigest().value(),
                orNull(capability.method()),
                orNull(capability.path()),
                orNull(capability.server()));
    }

    private static @Nullable String orNull(Optional<String> text) {
        return text.orElse(null);
    }
}
