package io.aiel.plane.gateway.schedule;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.gateway.http.CallContext;
import io.aiel.plane.gateway.http.Pages;
import io.aiel.plane.gateway.http.PlaneAction;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.Ids;
import io.smallrye.mutiny.Uni;
import io.vertx.core.json.JsonObject;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.DELETE;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.PUT;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.parameters.RequestBody;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jboss.resteasy.reactive.ResponseStatus;
import org.jspecify.annotations.Nullable;

/**
 * Schedules of a project. To make or change one is to ask for executions, and is decided as that; to stop one is to cancel them. Runs on the event
 * loop and waits for nothing.
 */
@Path("/v1/workspaces/{workspace}/projects/{project}/schedules")
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Schedules")
public class SchedulesResource {
    private final Schedules schedules;
    private final CallContext call;

    SchedulesResource(Schedules schedules, CallContext call) {
        this.schedules = schedules;
        this.call = call;
    }

    @POST
    @ResponseStatus(201)
    @Consumes(MediaType.APPLICATION_JSON)
    @PlaneAction(value = "execution.invoke", deferred = true)
    @Operation(operationId = "createSchedule", summary = "Have a request queued again and again, by cron")
    @RequestBody(
            required = true,
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "ScheduleDraft")))
    @APIResponse(
            responseCode = "201",
            description = "It is kept, and begins when it is due",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "Schedule")))
    public Uni<JsonObject> create(@Nullable JsonNode body) {
        return schedules.create(call.caller(), call.auditContext(), body);
    }

    @GET
    @PlaneAction("execution.read")
    @Operation(operationId = "listSchedules", summary = "The schedules of a project, oldest first")
    @APIResponse(
            responseCode = "200",
            description = "OK",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "SchedulePage")))
    public Uni<JsonObject> list(
            @QueryParam("limit") @Nullable String limit, @QueryParam("cursor") @Nullable String cursor) {
        int rows = Pages.limit(limit);
        return schedules
                .list(
                        call.scope(),
                        call.principal().id(),
                        Pages.cursor(Schedule.PREFIX, cursor).orElse(""),
                        rows + 1)
                .map(found -> Pages.of("items", found, rows));
    }

    @GET
    @Path("/{schedule}")
    @PlaneAction("execution.read")
    @Operation(operationId = "getSchedule", summary = "One schedule and what became of its last due times")
    @APIResponse(
            responseCode = "200",
            description = "OK",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "Schedule")))
    public Uni<JsonObject> get(@PathParam("schedule") String schedule) {
        return schedules.find(call.scope(), call.principal().id(), id(schedule));
    }

    @PUT
    @Path("/{schedule}")
    @Consumes(MediaType.APPLICATION_JSON)
    @PlaneAction(value = "execution.invoke", deferred = true)
    @Operation(
            operationId = "replaceSchedule",
            summary = "Have a schedule be as described",
            description = "From then on its runs are decided by the rights of who calls this.")
    @RequestBody(
            required = true,
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "ScheduleDraft")))
    @APIResponse(
            responseCode = "200",
            description = "OK",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "Schedule")))
    public Uni<JsonObject> replace(@PathParam("schedule") String schedule, @Nullable JsonNode body) {
        return schedules.replace(call.caller(), call.auditContext(), id(schedule), body);
    }

    @DELETE
    @Path("/{schedule}")
    @ResponseStatus(204)
    @PlaneAction("execution.cancel")
    @Operation(operationId = "deleteSchedule", summary = "Ends a schedule; what it has queued goes on")
    public Uni<Void> delete(@PathParam("schedule") String schedule) {
        return schedules.delete(call.scope(), call.auditContext(), id(schedule));
    }

    @POST
    @Path("/{schedule}:pause")
    @PlaneAction("execution.cancel")
    @Operation(operationId = "pauseSchedule", summary = "Nothing of it is due until it is resumed")
    @APIResponse(
            responseCode = "200",
            description = "OK",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "Schedule")))
    public Uni<JsonObject> pause(@PathParam("schedule") String schedule) {
        return schedules.pause(call.scope(), call.principal().id(), call.auditContext(), id(schedule), true);
    }

    @POST
    @Path("/{schedule}:resume")
    @PlaneAction("execution.cancel")
    @Operation(
            operationId = "resumeSchedule",
            summary = "It is due again; what was missed in the pause is not made up for")
    @APIResponse(
            responseCode = "200",
            description = "OK",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "Schedule")))
    public Uni<JsonObject> resume(@PathParam("schedule") String schedule) {
        return schedules.pause(call.scope(), call.principal().id(), call.auditContext(), id(schedule), false);
    }

    @POST
    @Path("/{schedule}:trigger")
    @PlaneAction(value = "execution.invoke", deferred = true)
    @Operation(
            operationId = "triggerSchedule",
            summary = "Queue a run now",
            description =
                    "As a request of who calls this, whether or not it is paused. Its due times stay as they are.")
    @APIResponse(responseCode = "202", ref = "Queued")
    public Uni<Response> trigger(@PathParam("schedule") String schedule) {
        String executions = "/v1/workspaces/" + call.scope().workspace().value() + "/projects/"
                + call.scope().project().value() + "/executions/";
        return schedules
                .trigger(call.caller(), call.auditContext(), id(schedule))
                .map(run -> Response.status(202)
                        .header("Location", executions + run.execution())
                        .entity(new JsonObject()
                                .put("execution_id", run.execution().value())
                                .put("status", "queued")
                                .put("schedule", run.schedule())
                                .put("due_at", run.dueAt().toString()))
                        .build());
    }

    private static String id(String text) {
        return Refusal.orNotFound(() -> Ids.check(Schedule.PREFIX, text));
    }
}
