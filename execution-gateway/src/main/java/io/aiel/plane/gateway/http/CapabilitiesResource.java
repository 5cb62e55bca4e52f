package io.aiel.plane.gateway.http;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonRawValue;
import com.fasterxml.jackson.databind.PropertyNamingStrategies.SnakeCaseStrategy;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import io.aiel.plane.registry.CapabilityRegistry;
import io.aiel.plane.registry.Target;
import io.aiel.plane.registry.snapshot.Deployments;
import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.CapabilityKind;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.JsonText;
import io.smallrye.mutiny.Uni;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Predicate;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.enums.SchemaType;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jboss.resteasy.reactive.RestPath;
import org.jboss.resteasy.reactive.RestQuery;
import org.jspecify.annotations.Nullable;

/** What can be invoked in a project. */
@Path("/v1/workspaces/{workspace}/projects/{project}/capabilities")
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Capabilities")
public class CapabilitiesResource {
    private final CapabilityRegistry registry;
    private final CallContext call;

    CapabilitiesResource(CapabilityRegistry registry, CallContext call) {
        this.registry = registry;
        this.call = call;
    }

    /** A capability; members that do not apply are absent. */
    @JsonNaming(SnakeCaseStrategy.class)
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record CapabilityView(
            String kind,
            String name,
            String description,
            String version,
            List<String> tags,

            @JsonRawValue @Schema(type = SchemaType.OBJECT) @Nullable
            String inputSchema,

            @JsonRawValue @Schema(type = SchemaType.OBJECT) @Nullable
            String outputSchema,

            List<String> allowedActions,
            List<String> allowedRoutes,
            String contractDigest,
            @Nullable String method,
            @Nullable String path,
            @Nullable String server,
            String file,
            int line) {
        static CapabilityView of(Capability capability) {
            return new CapabilityView(
                    capability.ref().kind().wireName(),
                    capability.ref().name(),
                    capability.description(),
                    capability.version(),
                    capability.tags(),
                    capability.inputSchema().map(JsonText::value).orElse(null),
                    capability.outputSchema().map(JsonText::value).orElse(null),
                    capability.allowedActions(),
                    capability.allowedRoutes(),
                    capability.contractDigest().value(),
                    capability.method().orElse(null),
                    capability.path().orElse(null),
                    capability.server().orElse(null),
                    capability.file(),
                    capability.line());
        }
    }

    /** All capabilities that fit, sorted by kind and name. */
    @JsonNaming(SnakeCaseStrategy.class)
    public record CapabilityList(List<CapabilityView> items) {}

    /**
     * Lists what the environment (production unless said otherwise) or the named snapshot exports; {@code kind}, {@code tag} and the
     * text {@code q} in name or description narrow the list.
     */
    @GET
    @PlaneAction("capability.read")
    @Operation(operationId = "listCapabilities", summary = "What can be invoked")
    public Uni<CapabilityList> list(
            @RestQuery @Nullable String kind,
            @RestQuery @Nullable String tag,
            @RestQuery @Nullable String q,
            @RestQuery @Nullable String environment,
            @RestQuery @Nullable String snapshot) {
        Predicate<Capability> wanted = wanted(kind, tag, q);
        return registry.capabilities(call.scope(), target(environment, snapshot))
                .map(all -> new CapabilityList(
                        all.stream().filter(wanted).map(CapabilityView::of).toList()));
    }

    /** Shows one; its name may hold slashes and, for kind http, a blank. */
    @GET
    @Path("{kind}/{name: .+}")
    @PlaneAction("capability.read")
    @Operation(operationId = "getCapability", summary = "One capability with its contracts")
    public Uni<CapabilityView> get(
            @RestPath String kind,
            @RestPath String name,
            @RestQuery @Nullable String environment,
            @RestQuery @Nullable String snapshot) {
        CapabilityKind wanted = Refusal.orNotFound(() -> CapabilityKind.parse(kind));
        return registry.capabilities(call.scope(), target(environment, snapshot))
                .map(all -> all.stream()
                        .filter(capability -> capability.ref().kind() == wanted
                                && capability.ref().name().equals(name))
                        .findFirst()
                        .map(CapabilityView::of)
                        .orElseThrow(Refusal::notFound));
    }

    static Target target(@Nullable String environment, @Nullable String snapshot) {
        if (snapshot != null) {
            if (environment != null) {
                throw Refusal.invalid("query:snapshot", "name a snapshot or an environment, not both");
            }
            return new Target.Snapshot(Refusal.orNotFound(() -> new Digest(snapshot)));
        }
        return new Target.Environment(Optional.ofNullable(environment).orElse(Deployments.PUBLISHED_TO));
    }

    private static Predicate<Capability> wanted(@Nullable String kind, @Nullable String tag, @Nullable String q) {
        Predicate<Capability> wanted = _ -> true;
        if (kind != null) {
            CapabilityKind only = kind(kind);
            wanted = wanted.and(capability -> capability.ref().kind() == only);
        }
        if (tag != null) {
            wanted = wanted.and(capability -> capability.tags().contains(tag));
        }
        if (q != null) {
            String text = q.toLowerCase(Locale.ROOT);
            wanted = wanted.and(capability ->
                    capability.ref().name().toLowerCase(Locale.ROOT).contains(text)
                            || capability.description().toLowerCase(Locale.ROOT).contains(text));
        }
        return wanted;
    }

    private static CapabilityKind kind(String text) {
        try {
            return CapabilityKind.parse(text);
        } catch (IllegalArgumentException e) {
            throw Refusal.invalid("query:kind", String.valueOf(e.getMessage()));
        }
    }
}
