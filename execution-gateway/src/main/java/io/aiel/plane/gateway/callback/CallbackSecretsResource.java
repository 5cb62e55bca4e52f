package io.aiel.plane.gateway.callback;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies.SnakeCaseStrategy;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import io.aiel.plane.gateway.http.CallContext;
import io.aiel.plane.gateway.http.PlaneAction;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.Ids;
import io.smallrye.mutiny.Uni;
import jakarta.ws.rs.DELETE;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import java.time.Instant;
import java.util.List;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponseSchema;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jboss.resteasy.reactive.ResponseStatus;
import org.jspecify.annotations.Nullable;

/** The secrets that a project's callbacks are signed with. A secret is in the answer to its creation and nowhere else, ever. */
@Path("/v1/workspaces/{workspace}/projects/{project}/callback-secrets")
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Callbacks")
public class CallbackSecretsResource {
    private final Callbacks callbacks;
    private final CallContext call;

    CallbackSecretsResource(Callbacks callbacks, CallContext call) {
        this.callbacks = callbacks;
        this.call = call;
    }

    /**
     * A secret.
     *
     * @param secret what receivers verify with; only in the answer to the creation
     * @param expiresAt from then on nothing is signed with it; absent for the newest
     */
    @JsonNaming(SnakeCaseStrategy.class)
    @JsonInclude(JsonInclude.Include.NON_NULL)
    public record CallbackSecret(
            String id,
            Instant createdAt,
            @Nullable Instant expiresAt,
            @Nullable String secret) {
        static CallbackSecret of(CallbackSecrets.About about, @Nullable String secret) {
            return new CallbackSecret(
                    about.id(), about.createdAt(), about.expiresAt().orElse(null), secret);
        }

        @Override
        public String toString() {
            return "CallbackSecret[id=" + id + "]";
        }
    }

    /** The secrets of a project that have not ended, newest first. */
    public record CallbackSecretList(List<CallbackSecret> items) {}

    @POST
    @ResponseStatus(201)
    @PlaneAction("project.create")
    @Operation(
            operationId = "createCallbackSecret",
            summary = "Makes a secret for callbacks; it is in this answer only",
            description = "What there was before ends after a while, in which callbacks are signed with both.")
    @APIResponseSchema(value = CallbackSecret.class, responseCode = "201")
    public Uni<CallbackSecret> create() {
        return callbacks
                .secrets()
                .create(call.auditContext(), call.scope().project())
                .map(
                        made -> made.map(one -> CallbackSecret.of(
                                        one.about(), one.secret().reveal()))
                                .orElseThrow(
                                        () -> new Refusal(
                                                ErrorCode.CONFLICT,
                                                "The project has as many callback secrets as it may; delete one, or wait for one to end.")));
    }

    @GET
    @PlaneAction("project.read")
    @Operation(
            operationId = "listCallbackSecrets",
            summary = "The secrets for callbacks that have not ended; never what they are")
    public Uni<CallbackSecretList> list() {
        return callbacks
                .secrets()
                .list(call.scope().project())
                .map(all -> new CallbackSecretList(
                        all.stream().map(one -> CallbackSecret.of(one, null)).toList()));
    }

    @DELETE
    @Path("/{secret}")
    @ResponseStatus(204)
    @PlaneAction("project.create")
    @Operation(operationId = "deleteCallbackSecret", summary = "Ends a secret for callbacks at once")
    public Uni<Void> delete(@PathParam("secret") String secret) {
        String id = Refusal.orNotFound(() -> Ids.check(CallbackSecrets.PREFIX, secret));
        return callbacks
                .secrets()
                .delete(call.auditContext(), call.scope().project(), id)
                .invoke(found -> {
                    if (!found) {
                        throw Refusal.notFound();
                    }
                })
                .replaceWithVoid();
    }
}
