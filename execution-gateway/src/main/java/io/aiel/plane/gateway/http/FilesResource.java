package io.aiel.plane.gateway.http;

import com.fasterxml.jackson.databind.PropertyNamingStrategies.SnakeCaseStrategy;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import io.aiel.plane.registry.RegistryConfig;
import io.aiel.plane.registry.files.FileStore;
import io.aiel.plane.registry.files.SigningKey;
import io.aiel.plane.registry.files.StoredFile;
import io.aiel.plane.registry.files.UploadRequest;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.PrincipalId;
import io.smallrye.mutiny.Uni;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.DELETE;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.UriInfo;
import java.time.Clock;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jboss.resteasy.reactive.RestPath;
import org.jboss.resteasy.reactive.RestQuery;
import org.jspecify.annotations.Nullable;

/** The files of a project, as the published CLI calls them. */
@Path("/v1/workspaces/{workspace}/projects/{project}")
@Produces(MediaType.APPLICATION_JSON)
@Tag(name = "Files")
public class FilesResource {
    private static final Pattern SHA256 = Pattern.compile("[0-9a-f]{64}");

    private final FileStore files;
    private final SigningKey key;
    private final RegistryConfig config;
    private final CallContext call;
    private final Clock clock;

    FilesResource(FileStore files, SigningKey key, RegistryConfig config, CallContext call, Clock clock) {
        this.files = files;
        this.key = key;
        this.config = config;
        this.call = call;
        this.clock = clock;
    }

    /** What the project's files are. */
    @JsonNaming(SnakeCaseStrategy.class)
    public record Manifest(List<FileView> files) {}

    /** One file. */
    @JsonNaming(SnakeCaseStrategy.class)
    public record FileView(
            String path,
            long version,
            String sha256,
            long sizeBytes,
            String contentType,
            Instant updatedAt,
            Optional<String> updatedBy) {
        static FileView of(StoredFile file) {
            return new FileView(
                    file.path(),
                    file.version(),
                    file.digest().hex(),
                    file.sizeBytes(),
                    file.contentType(),
                    file.updatedAt(),
                    file.updatedBy().map(PrincipalId::value));
        }
    }

    /** What will be uploaded. */
    @JsonNaming(SnakeCaseStrategy.class)
    public record SignUpload(
            @Nullable String contentType,
            @Nullable Long expectedVersion,
            @Nullable Long sizeBytes,
            @Nullable String sha256) {}

    /** Where to send it. */
    @JsonNaming(SnakeCaseStrategy.class)
    public record UploadTicket(String uploadId, String signedUrl, Instant expiresAt) {}

    /** For how long the URL shall work. */
    @JsonNaming(SnakeCaseStrategy.class)
    public record SignDownload(@Nullable Long expiresSeconds) {}

    /** Where the bytes are. */
    @JsonNaming(SnakeCaseStrategy.class)
    public record DownloadTicket(String signedUrl, Instant expiresAt, long version, String sha256, long sizeBytes) {}

    /** What became of a file that was to be deleted. */
    @JsonNaming(SnakeCaseStrategy.class)
    public record Deleted(String path, boolean deleted) {}

    /** Lists all files, sorted by path. */
    @GET
    @Path("files")
    @PlaneAction("files.read")
    @Operation(operationId = "listFiles", summary = "The files of the project, sorted by path")
    public Uni<Manifest> list() {
        return files.list(call.scope())
                .map(all -> new Manifest(all.stream().map(FileView::of).toList()));
    }

    /** Announces an upload and answers with a URL that takes exactly these bytes, without a token. */
    @POST
    @Path("uploads:sign")
    @Consumes(MediaType.APPLICATION_JSON)
    @PlaneAction("files.write")
    @Operation(operationId = "signUpload", summary = "Announce an upload and get a signed URL for it")
    public Uni<UploadTicket> signUpload(
            @RestQuery @Nullable String path, @Nullable SignUpload body, @Context UriInfo uri) {
        UploadRequest request = request(body);
        String base = base(uri);
        return key.urls()
                .chain(urls -> files.sign(call.scope(), Causes.of(call), required(path), request)
                        .map(upload -> new UploadTicket(
                                UploadsResource.wireId(upload),
                                UploadsResource.putUrl(base, urls, upload),
                                upload.expiresAt())));
    }

    /** Answers with a URL that gives the bytes that the file has now, without a token. */
    @POST
    @Path("downloads:sign")
    @Consumes(MediaType.APPLICATION_JSON)
    @PlaneAction("files.read")
    @Operation(operationId = "signDownload", summary = "Get a signed URL for the bytes of a file")
    public Uni<DownloadTicket> signDownload(
            @RestQuery @Nullable String path, @Nullable SignDownload body, @Context UriInfo uri) {
        Instant expires = clock.instant().plusSeconds(seconds(body));
        String base = base(uri);
        return key.urls()
                .chain(urls -> files.file(call.scope(), required(path))
                        .map(file -> new DownloadTicket(
                                UploadsResource.getUrl(base, urls, file, expires),
                                expires,
                                file.version(),
                                file.digest().hex(),
                                file.sizeBytes())));
    }

    /** Deletes a file; deleting it again succeeds and changes nothing. */
    @DELETE
    @Path("files/{path: .+}")
    @PlaneAction("files.write")
    @Operation(operationId = "deleteFile", summary = "Delete a file")
    public Uni<Deleted> delete(@RestPath String path, @RestQuery("expected_version") @Nullable String expectedVersion) {
        return files.delete(call.scope(), Causes.of(call), path, version(expectedVersion))
                .map(changed -> new Deleted(path, changed));
    }

    private static Optional<Long> version(@Nullable String expected) {
        return Optional.ofNullable(expected).map(text -> Pages.number("expected_version", text, 0, 0, Long.MAX_VALUE));
    }

    private static UploadRequest request(@Nullable SignUpload body) {
        if (body == null) {
            throw Refusal.invalid(
                    "", "a JSON object with content_type, expected_version, size_bytes and sha256 is needed");
        }
        if (body.contentType() == null) {
            throw Refusal.invalid("/content_type", "needed, such as text/x-python");
        }
        if (body.sizeBytes() == null) {
            throw Refusal.invalid("/size_bytes", "needed");
        }
        if (body.sha256() == null || !SHA256.matcher(body.sha256()).matches()) {
            throw Refusal.invalid("/sha256", "needed, 64 lower-case hex digits");
        }
        if (body.expectedVersion() != null && body.expectedVersion() < 0) {
            throw Refusal.invalid("/expected_version", "0 for a new file, else the version that is replaced");
        }
        return new UploadRequest(
                body.contentType(),
                Optional.ofNullable(body.expectedVersion()),
                body.sizeBytes(),
                Digest.ofHex(body.sha256()));
    }

    private static String required(@Nullable String path) {
        if (path == null) {
            throw Refusal.invalid("query:path", "needed: the file's path in the project");
        }
        return path;
    }

    private long seconds(@Nullable SignDownload body) {
        long longest = config.signedUrlTtl().toSeconds();
        if (body == null || body.expiresSeconds() == null) {
            return longest;
        }
        if (body.expiresSeconds() < 1) {
            throw Refusal.invalid("/expires_seconds", "must be at least 1");
        }
        return Math.min(longest, body.expiresSeconds());
    }

    /** The address the caller used; forwarding headers count only where the server is configured to believe them. */
    private static String base(UriInfo uri) {
        String base = uri.getBaseUri().toString();
        return base.endsWith("/") ? base.substring(0, base.length() - 1) : base;
    }
}
