package io.aiel.plane.gateway.http;

import com.fasterxml.jackson.databind.PropertyNamingStrategies.SnakeCaseStrategy;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import io.aiel.plane.registry.snapshot.Deployment;
import io.aiel.plane.registry.snapshot.Deployments;
import io.aiel.plane.vocabulary.DeploymentId;
import io.aiel.plane.vocabulary.PrincipalId;
import io.smallrye.mutiny.Uni;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponseSchema;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jboss.resteasy.reactive.ResponseStatus;
import org.jboss.resteasy.reactive.RestPath;
import org.jboss.resteasy.reactive.RestQuery;
import org.jspecify.annotations.Nullable;

/** What is current in a project's environments, and how it came to be. */
@Path("/v1/workspaces/{workspace}/projects/{project}")
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Deployments")
public class DeploymentsResource {
    private final Deployments deployments;
    private final CallContext call;

    DeploymentsResource(Deployments deployments, CallContext call) {
        this.deployments = deployments;
        this.call = call;
    }

    /** A deployment. */
    @JsonNaming(SnakeCaseStrategy.class)
    public record DeploymentView(
            String deploymentId,
            String environment,
            long sequence,
            String digest,
            String snapshotId,
            String cause,
            Optional<String> restores,
            Instant createdAt,
            Optional<String> createdBy) {
        static DeploymentView of(Deployment deployment) {
            return new DeploymentView(
                    deployment.id().value(),
                    deployment.environment(),
                    deployment.sequence(),
                    deployment.snapshot().digest().value(),
                    deployment.snapshot().snapshotId(),
                    deployment.cause(),
                    deployment.restores().map(DeploymentId::value),
                    deployment.createdAt(),
                    deployment.createdBy().map(PrincipalId::value));
        }
    }

    /** A page of deployments. */
    @JsonNaming(SnakeCaseStrategy.class)
    public record DeploymentPage(List<DeploymentView> items, Optional<String> nextCursor) {}

    /** What to deploy where. */
    @JsonNaming(SnakeCaseStrategy.class)
    public record Deploy(
            @Nullable String environment, @Nullable String snapshot) {}

    /** What to go back to; nothing means: to what was current before. */
    @JsonNaming(SnakeCaseStrategy.class)
    public record Rollback(@Nullable String deploymentId) {}

    /** Lists deployments, newest first; {@code environment} narrows the list. */
    @GET
    @Path("deployments")
    @PlaneAction("deployment.read")
    @Operation(operationId = "listDeployments", summary = "The deployments, newest first")
    public Uni<DeploymentPage> list(
            @RestQuery @Nullable String environment,
            @RestQuery @Nullable String limit,
            @RestQuery @Nullable String cursor) {
        int size = Pages.limit(limit);
        return deployments
                .list(
                        call.scope(),
                        Optional.ofNullable(environment),
                        Pages.cursor(DeploymentId.PREFIX, cursor).map(DeploymentId::new),
                        size + 1)
                .map(found -> new DeploymentPage(
                        found.stream().limit(size).map(DeploymentView::of).toList(),
                        Pages.next(found, size, deployment -> deployment.id().value())));
    }

    /** Makes a valid snapshot current in an environment. */
    @POST
    @Path("deployments")
    @Consumes(MediaType.APPLICATION_JSON)
    @ResponseStatus(201)
    @PlaneAction("deployment.create")
    @Operation(operationId = "deploy", summary = "Make a snapshot current in an environment")
    @APIResponseSchema(value = DeploymentView.class, responseCode = "201")
    public Uni<DeploymentView> deploy(@Nullable Deploy body) {
        if (body == null || body.snapshot() == null) {
            throw Refusal.invalid("/snapshot", "needed: the digest or snapshot id of a valid snapshot");
        }
        if (body.environment() == null) {
            throw Refusal.invalid("/environment", "needed, such as production");
        }
        return deployments
                .deploy(call.scope(), Causes.of(call), body.environment(), body.snapshot())
                .map(DeploymentView::of);
    }

    /** Brings back what was current before. */
    @POST
    @Path("environments/{environment}:rollback")
    @ResponseStatus(201)
    @PlaneAction("deployment.create")
    @Operation(operationId = "rollback", summary = "Bring back what was current before")
    @APIResponseSchema(value = DeploymentView.class, responseCode = "201")
    public Uni<DeploymentView> rollback(@RestPath String environment, @Nullable Rollback body) {
        Optional<DeploymentId> to = Optional.ofNullable(body)
                .map(Rollback::deploymentId)
                .map(id -> Refusal.orNotFound(() -> DeploymentId.parse(id)));
        return deployments
                .rollback(call.scope(), Causes.of(call), environment, to)
                .map(DeploymentView::of);
    }
}
