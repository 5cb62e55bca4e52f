package io.aiel.plane.gateway.http;

import com.fasterxml.jackson.databind.PropertyNamingStrategies.SnakeCaseStrategy;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import io.aiel.plane.gateway.execution.ExecutionCancellation;
import io.aiel.plane.gateway.execution.ExecutionCancellation.Which;
import io.aiel.plane.gateway.execution.Executions;
import io.aiel.plane.vocabulary.ErrorCode;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import java.util.Optional;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.parameters.RequestBody;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jboss.resteasy.reactive.ResponseStatus;
import org.jspecify.annotations.Nullable;

/** What is done to many executions of a project with one call. Runs on the event loop and waits for nothing. */
@Path("/v1/workspaces/{workspace}/projects/{project}")
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Executions")
public class ManyExecutionsResource {
    private static final int FILTER_CHARS_MAX = 512;

    private final Executions executions;
    private final CallContext call;

    ManyExecutionsResource(Executions executions, CallContext call) {
        this.executions = executions;
        this.call = call;
    }

    /** Which of the running executions of the project; without members all. */
    @JsonNaming(SnakeCaseStrategy.class)
    public record CancellationFilter(
            @Nullable String capability, @Nullable String principal) {}

    /** Asks running executions to stop; which of them, the body says. An empty object means all of the project. */
    @POST
    @Path("executions:cancel")
    @Consumes(MediaType.APPLICATION_JSON)
    @ResponseStatus(202)
    @PlaneAction("execution.cancel")
    @Operation(
            operationId = "cancelExecutions",
            summary = "Ask running executions to stop",
            description = "Those of one capability, of one principal, of both, or all; 1,000 with one call at most.")
    @RequestBody(
            required = true,
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "CancellationFilter")))
    @APIResponse(
            responseCode = "202",
            description = "They were asked to stop",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "Cancellation")))
    public Uni<JsonObject> cancel(@Nullable CancellationFilter filter) {
        if (filter == null) {
            throw new Refusal(
                    ErrorCode.MALFORMED_REQUEST, "Say which executions in a JSON object; {} means all that run.");
        }
        Which which = new Which(
                Optional.empty(), named("/capability", filter.capability()), named("/principal", filter.principal()));
        return executions
                .cancellation()
                .cancel(call.scope(), call.auditContext(), which)
                .map(asked -> new JsonObject()
                        .put(
                                "cancelled",
                                new JsonArray(
                                        asked.stream().map(id -> id.value()).toList()))
                        .put("more", asked.size() == ExecutionCancellation.MANY_MAX));
    }

    private static Optional<String> named(String pointer, @Nullable String value) {
        if (value != null && (value.isEmpty() || value.length() > FILTER_CHARS_MAX || value.indexOf('\0') >= 0)) {
            throw Refusal.invalid(pointer, "must be a text of 1 to " + FILTER_CHARS_MAX + " characters");
        }
        return Optional.ofNullable(value);
    }
}
