package io.aiel.plane.gateway.memory;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.gateway.http.CallContext;
import io.aiel.plane.gateway.http.Pages;
import io.aiel.plane.gateway.http.PlaneAction;
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
import java.util.function.Supplier;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.parameters.RequestBody;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jspecify.annotations.Nullable;

/** The memory calls of the wire contract, and two more to look through threads and to forget one. Runs on the event loop and waits for nothing. */
@Path("/v1/workspaces/{workspace}/projects/{project}/memory")
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Memory")
public class MemoryResource {
    private final Memory memory;
    private final CallContext call;
    private final MemoryTelemetry telemetry;

    MemoryResource(Memory memory, CallContext call, MemoryTelemetry telemetry) {
        this.memory = memory;
        this.call = call;
        this.telemetry = telemetry;
    }

    private <T> Uni<T> watched(String operation, Supplier<Uni<T>> work) {
        return telemetry.watched(operation, call.trace(), work);
    }

    @POST
    @Path("/thread/{thread_key}/messages:append")
    @Consumes(MediaType.APPLICATION_JSON)
    @PlaneAction("memory.write")
    @Operation(operationId = "appendThreadMessages", summary = "Put messages at the end of a thread, all or none")
    @RequestBody(
            required = true,
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "ThreadAppend")))
    @APIResponse(
            responseCode = "200",
            description = "They are kept; the answer has these",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "ThreadMessages")))
    public Uni<JsonNode> append(@PathParam("thread_key") String thread, @Nullable JsonNode body) {
        return watched("append", () -> memory.append(call.scope(), thread, body));
    }

    @GET
    @Path("/thread/{thread_key}/messages")
    @PlaneAction("memory.read")
    @Operation(
            operationId = "getThreadMessages",
            summary = "The newest messages of a thread, oldest first",
            description = "None when there is no such thread.")
    @APIResponse(
            responseCode = "200",
            description = "OK",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "ThreadMessages")))
    public Uni<JsonNode> messages(@PathParam("thread_key") String thread, @QueryParam("limit") @Nullable String limit) {
        return watched("messages", () -> memory.messages(call.scope(), thread, Pages.limit(limit)));
    }

    @GET
    @Path("/thread/{thread_key}/state")
    @PlaneAction("memory.read")
    @Operation(
            operationId = "getThreadState",
            summary = "The state of a thread",
            description = "An empty one when there is no such thread.")
    @APIResponse(
            responseCode = "200",
            description = "OK",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "ThreadState")))
    public Uni<JsonNode> state(@PathParam("thread_key") String thread) {
        return watched("state", () -> memory.state(call.scope(), thread));
    }

    @PUT
    @Path("/thread/{thread_key}/state")
    @Consumes(MediaType.APPLICATION_JSON)
    @PlaneAction("memory.write")
    @Operation(
            operationId = "patchThreadState",
            summary = "Change members of a thread's state",
            description = "Members of the patch take the place of those with their names; the others stay.")
    @RequestBody(
            required = true,
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "ThreadPatch")))
    @APIResponse(
            responseCode = "200",
            description = "The whole state",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "ThreadState")))
    public Uni<JsonNode> patch(@PathParam("thread_key") String thread, @Nullable JsonNode body) {
        return watched("patch", () -> memory.patch(call.scope(), thread, body));
    }

    @POST
    @Path("/thread/{thread_key}/checkpoint")
    @Consumes(MediaType.APPLICATION_JSON)
    @PlaneAction("memory.write")
    @Operation(operationId = "putCheckpoint", summary = "Keep a checkpoint in the place of the thread's last")
    @RequestBody(
            required = true,
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "CheckpointDraft")))
    @APIResponse(
            responseCode = "200",
            description = "It is kept",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "Checkpoint")))
    public Uni<JsonNode> checkpoint(@PathParam("thread_key") String thread, @Nullable JsonNode body) {
        return watched("checkpoint", () -> memory.checkpoint(call.scope(), thread, body));
    }

    @GET
    @Path("/thread/{thread_key}/checkpoint/latest")
    @PlaneAction("memory.read")
    @Operation(
            operationId = "getLatestCheckpoint",
            summary = "The last checkpoint of a thread",
            description = "404 with the code checkpoint_not_found when there is none.")
    @APIResponse(
            responseCode = "200",
            description = "OK",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "Checkpoint")))
    public Uni<JsonNode> latest(@PathParam("thread_key") String thread) {
        return watched("latest_checkpoint", () -> memory.latest(call.scope(), thread));
    }

    @GET
    @Path("/threads")
    @PlaneAction("memory.read")
    @Operation(
            operationId = "listThreads",
            summary = "The threads of a project",
            description = "With user_id or agent_id, those that were written with it as their scope.")
    @APIResponse(
            responseCode = "200",
            description = "OK",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "ThreadPage")))
    public Uni<JsonObject> threads(
            @QueryParam("user_id") @Nullable String user,
            @QueryParam("agent_id") @Nullable String agent,
            @QueryParam("limit") @Nullable String limit,
            @QueryParam("cursor") @Nullable String cursor) {
        return watched(
                "threads",
                () -> memory.threads(
                        call.scope(), user, agent, Pages.cursor(MemoryIds.THREAD, cursor), Pages.limit(limit)));
    }

    @DELETE
    @Path("/thread/{thread_key}")
    @PlaneAction("memory.write")
    @Operation(operationId = "forgetThread", summary = "Remove a thread's messages, state and checkpoint")
    @APIResponse(
            responseCode = "200",
            description = "Whether there was something: 1 or 0",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "ThreadForgotten")))
    public Uni<JsonNode> forgetThread(@PathParam("thread_key") String thread) {
        return watched("forget_thread", () -> memory.forgetThread(call.scope(), call.auditContext(), thread));
    }

    @POST
    @Path("/recall:put")
    @Consumes(MediaType.APPLICATION_JSON)
    @PlaneAction("memory.write")
    @Operation(operationId = "putRecall", summary = "Keep a recall item in the place of the one with its name")
    @RequestBody(required = true, content = @Content(mediaType = "application/json", schema = @Schema(ref = "Recall")))
    @APIResponse(
            responseCode = "200",
            description = "It is kept",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "RecallKept")))
    public Uni<JsonNode> put(@Nullable JsonNode body) {
        return watched("put", () -> memory.put(call.scope(), body));
    }

    @POST
    @Path("/recall:get")
    @Consumes(MediaType.APPLICATION_JSON)
    @PlaneAction("memory.read")
    @Operation(operationId = "getRecall", summary = "A recall item by its namespace and key")
    @RequestBody(
            required = true,
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "RecallAddress")))
    @APIResponse(
            responseCode = "200",
            description = "Whether there is one, and it",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "RecallFound")))
    public Uni<JsonNode> get(@Nullable JsonNode body) {
        return watched("get", () -> memory.get(call.scope(), body));
    }

    @POST
    @Path("/recall:search")
    @Consumes(MediaType.APPLICATION_JSON)
    @PlaneAction("memory.read")
    @Operation(
            operationId = "searchRecall",
            summary = "Recall items of a namespace and what is inside it",
            description = "The best first, of a search by text; else the newest.")
    @RequestBody(
            required = true,
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "RecallSearch")))
    @APIResponse(
            responseCode = "200",
            description = "OK",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "RecallItems")))
    public Uni<JsonNode> search(@Nullable JsonNode body) {
        return watched("search", () -> memory.search(call.scope(), body));
    }

    @POST
    @Path("/recall:forget")
    @Consumes(MediaType.APPLICATION_JSON)
    @PlaneAction("memory.write")
    @Operation(
            operationId = "forgetRecall",
            summary = "Remove recall items by key or by tags",
            description = "Keys are of exactly this namespace; tags are looked for inside it, too.")
    @RequestBody(
            required = true,
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "RecallForget")))
    @APIResponse(
            responseCode = "200",
            description = "How many there were",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "RecallForgotten")))
    public Uni<JsonNode> forget(@Nullable JsonNode body) {
        return watched("forget", () -> memory.forget(call.scope(), call.auditContext(), body));
    }
}
