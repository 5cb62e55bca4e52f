package io.aiel.plane.gateway.http;

import io.aiel.plane.registry.CapabilityRegistry;
import io.aiel.plane.registry.Resolution;
import io.aiel.plane.registry.Target;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ErrorCode;
import io.smallrye.mutiny.Uni;
import io.vertx.ext.web.RoutingContext;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.util.List;
import java.util.Optional;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jboss.resteasy.reactive.RestQuery;
import org.jspecify.annotations.Nullable;

/** The OpenAPI document of a project's capabilities. Runs on the event loop and waits for nothing. */
@Path("/v1/workspaces/{workspace}/projects/{project}/openapi.json")
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Capabilities")
public class ProjectApiResource {
    private final CapabilityRegistry registry;
    private final CallContext call;
    private final RoutingContext routing;

    ProjectApiResource(CapabilityRegistry registry, CallContext call, RoutingContext routing) {
        this.registry = registry;
        this.call = call;
        this.routing = routing;
    }

    /** Of the environment (production unless said otherwise) or of the named snapshot, whose digest the ETag is. */
    @GET
    @PlaneAction("capability.read")
    @Operation(operationId = "getProjectApi", summary = "The OpenAPI document of what can be invoked")
    @APIResponse(
            responseCode = "200",
            description = "An OpenAPI 3.1 document",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "OpenApi")))
    @APIResponse(responseCode = "304", description = "It is still the one with the ETag in If-None-Match")
    public Uni<Response> get(@RestQuery @Nullable String environment, @RestQuery @Nullable String snapshot) {
        return registry.resolve(call.scope(), CapabilitiesResource.target(environment, snapshot), Optional.empty())
                .map(ProjectApiResource::digest)
                .chain(digest -> isKnown(digest)
                        ? Uni.createFrom()
                                .item(tagged(Response.notModified(), digest).build())
                        : document(digest));
    }

    private Uni<Response> document(Digest digest) {
        return registry.capabilities(call.scope(), new Target.Snapshot(digest))
                .map(all -> tagged(
                                Response.ok(
                                        ProjectApi.of(call.scope(), digest, all).toString()),
                                digest)
                        .build());
    }

    private static Digest digest(Resolution resolution) {
        return switch (resolution) {
            case Resolution.Found(var target) -> target.snapshot().digest();
            case Resolution.NothingDeployed(var environment, var _) ->
                throw new Refusal(
                        ErrorCode.NO_DEPLOYMENT, "Nothing is deployed in the environment '" + environment + "'.");
            case Resolution.UnknownSnapshot _, Resolution.UnknownCapability _ -> throw Refusal.notFound();
            case Resolution.ValidationUnavailable(var detail) ->
                throw new Refusal(ErrorCode.NOT_READY, detail).retryAfter(1);
        };
    }

    private static Response.ResponseBuilder tagged(Response.ResponseBuilder answer, Digest digest) {
        return answer.header("ETag", tag(digest)).header("Cache-Control", "private, no-cache");
    }

    private static String tag(Digest digest) {
        return '"' + digest.hex() + '"';
    }

    /** RFC 9110, section 13.1.2: a weak comparison, of each tag that was sent. */
    private boolean isKnown(Digest digest) {
        List<String> sent = routing.request().headers().getAll("If-None-Match");
        return sent.stream()
                .flatMap(header -> List.of(header.split(",", -1)).stream())
                .map(tag -> tag.strip().replaceFirst("^W/", ""))
                .anyMatch(tag -> tag.equals(tag(digest)) || tag.equals("*"));
    }
}
