package io.aiel.plane.gateway.http;

import com.fasterxml.jackson.annotation.JsonRawValue;
import com.fasterxml.jackson.databind.PropertyNamingStrategies.SnakeCaseStrategy;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import io.aiel.plane.registry.snapshot.SealOutcome;
import io.aiel.plane.registry.snapshot.Snapshot;
import io.aiel.plane.registry.snapshot.SnapshotSealer;
import io.aiel.plane.registry.snapshot.SnapshotValidator;
import io.aiel.plane.registry.snapshot.Snapshots;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.PrincipalId;
import io.smallrye.mutiny.Uni;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.enums.SchemaType;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponseSchema;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jboss.resteasy.reactive.RestPath;
import org.jboss.resteasy.reactive.RestQuery;
import org.jboss.resteasy.reactive.RestResponse;
import org.jspecify.annotations.Nullable;

/** The snapshots of a project. */
@Path("/v1/workspaces/{workspace}/projects/{project}/snapshots")
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Snapshots")
public class SnapshotsResource {
    private final Snapshots snapshots;
    private final SnapshotSealer sealer;
    private final CallContext call;

    SnapshotsResource(Snapshots snapshots, SnapshotSealer sealer, CallContext call) {
        this.snapshots = snapshots;
        this.sealer = sealer;
        this.call = call;
    }

    /** One thing wrong with a rejected snapshot. */
    @JsonNaming(SnakeCaseStrategy.class)
    public record FindingView(String code, String message, Optional<String> file, Optional<Integer> line) {
        static FindingView of(SnapshotValidator.Finding finding) {
            return new FindingView(finding.code(), finding.message(), finding.file(), finding.line());
        }
    }

    /** A snapshot. */
    @JsonNaming(SnakeCaseStrategy.class)
    public record SnapshotView(
            String digest,
            String snapshotId,
            String status,
            List<FindingView> findings,
            String bundle,
            String sdkVersion,
            String runtimeVersion,
            long fileCount,
            long sizeBytes,
            Instant createdAt,
            Optional<String> createdBy) {
        static SnapshotView of(Snapshot snapshot) {
            return new SnapshotView(
                    snapshot.ref().digest().value(),
                    snapshot.ref().snapshotId(),
                    snapshot.valid() ? "valid" : "rejected",
                    snapshot.findings().stream().map(FindingView::of).toList(),
                    snapshot.bundle(),
                    snapshot.sdkVersion(),
                    snapshot.runtimeVersion(),
                    snapshot.fileCount(),
                    snapshot.sizeBytes(),
                    snapshot.createdAt(),
                    snapshot.createdBy().map(PrincipalId::value));
        }
    }

    /** A page of snapshots. */
    @JsonNaming(SnakeCaseStrategy.class)
    public record SnapshotPage(List<SnapshotView> items, Optional<String> nextCursor) {}

    /** A snapshot with its canonical manifest: the digest is over exactly the manifest's bytes as they stand here. */
    @JsonNaming(SnakeCaseStrategy.class)
    public record SnapshotDetail(
            SnapshotView snapshot,
            @JsonRawValue @Schema(type = SchemaType.OBJECT) String manifest) {}

    /** What differs between two snapshots' files, from the first to the second. */
    @JsonNaming(SnakeCaseStrategy.class)
    public record DifferenceView(List<String> added, List<String> removed, List<String> changed) {}

    /** Lists snapshots, newest first. */
    @GET
    @PlaneAction("snapshot.read")
    @Operation(operationId = "listSnapshots", summary = "The snapshots, newest first")
    public Uni<SnapshotPage> list(@RestQuery @Nullable String limit, @RestQuery @Nullable String cursor) {
        int size = Pages.limit(limit);
        return snapshots
                .list(call.scope(), Pages.cursor("snap", cursor), size + 1)
                .map(found -> new SnapshotPage(
                        found.stream().limit(size).map(SnapshotView::of).toList(),
                        Pages.next(found, size, Snapshot::row)));
    }

    /**
     * Seals the files as they are now. Answers 201 with the new snapshot, valid or rejected, and 200 with the one that is there
     * already. A tree that was rejected is validated once more.
     */
    @POST
    @PlaneAction("snapshot.create")
    @Operation(operationId = "sealSnapshot", summary = "Make a snapshot of the files as they are")
    @APIResponse(
            responseCode = "200",
            description = "The one that is there already",
            content = @Content(mediaType = "application/json", schema = @Schema(implementation = SnapshotView.class)))
    @APIResponseSchema(value = SnapshotView.class, responseCode = "201")
    public Uni<RestResponse<SnapshotView>> seal() {
        return sealer.seal(call.scope(), true).map(outcome -> switch (outcome) {
            case SealOutcome.Sealed done ->
                RestResponse.status(
                        done.created() ? RestResponse.Status.CREATED : RestResponse.Status.OK,
                        SnapshotView.of(done.snapshot()));
            case SealOutcome.Empty _ ->
                throw new Refusal(ErrorCode.CONFLICT, "The project has no files to seal; push some first.");
            case SealOutcome.NotNow _ -> throw notNow("The files are being sealed by somebody else.");
            case SealOutcome.Unavailable unavailable -> throw notNow(unavailable.detail());
        });
    }

    private static Refusal notNow(String detail) {
        return new Refusal(ErrorCode.NOT_READY, detail).retryAfter(2);
    }

    /** Shows one snapshot, named by its digest or its snapshot id. */
    @GET
    @Path("{snapshot}")
    @PlaneAction("snapshot.read")
    @Operation(operationId = "getSnapshot", summary = "One snapshot with its manifest")
    public Uni<SnapshotDetail> get(@RestPath String snapshot) {
        return snapshots
                .get(call.scope(), snapshot)
                .map(found -> new SnapshotDetail(SnapshotView.of(found.snapshot()), found.manifest()));
    }

    /** Compares two snapshots. */
    @GET
    @Path("{snapshot}/diff/{other}")
    @PlaneAction("snapshot.read")
    @Operation(operationId = "compareSnapshots", summary = "What differs between two snapshots")
    public Uni<DifferenceView> diff(@RestPath String snapshot, @RestPath String other) {
        return snapshots
                .diff(call.scope(), snapshot, other)
                .map(found -> new DifferenceView(found.added(), found.removed(), found.changed()));
    }
}
