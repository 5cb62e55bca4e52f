package io.aiel.plane.gateway.http;

import com.fasterxml.jackson.databind.PropertyNamingStrategies.SnakeCaseStrategy;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import io.aiel.plane.registry.RegistryConfig;
import io.aiel.plane.registry.files.FileStore;
import io.aiel.plane.registry.files.SignedUpload;
import io.aiel.plane.registry.files.SignedUrls;
import io.aiel.plane.registry.files.SigningKey;
import io.aiel.plane.registry.files.StoredFile;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.UploadId;
import io.smallrye.mutiny.Uni;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.ext.web.RoutingContext;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.PUT;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Instant;
import java.util.Optional;
import java.util.regex.Pattern;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.enums.SchemaType;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;
import org.jboss.resteasy.reactive.RestPath;
import org.jboss.resteasy.reactive.RestQuery;
import org.jspecify.annotations.Nullable;

/** The signed URLs of files' bytes, and the commit of an upload. */
@Path("/v1")
@Tag(name = "Files")
public class UploadsResource {
    private static final String PUT = "PUT";
    private static final String GET = "GET";
    private static final Pattern SECONDS = Pattern.compile("[0-9]{1,12}");

    private final FileStore files;
    private final SigningKey key;
    private final RegistryConfig config;
    private final CallContext call;
    private final RoutingContext routing;
    private final Clock clock;
    private final Receiving receiving;

    UploadsResource(
            FileStore files,
            SigningKey key,
            RegistryConfig config,
            CallContext call,
            RoutingContext routing,
            Clock clock,
            Receiving receiving) {
        this.files = files;
        this.key = key;
        this.config = config;
        this.call = call;
        this.routing = routing;
        this.clock = clock;
        this.receiving = receiving;
    }

    /** What the committer expects. */
    @JsonNaming(SnakeCaseStrategy.class)
    public record Commit(@Nullable Long expectedVersion) {}

    /** What the file is after the commit. */
    @JsonNaming(SnakeCaseStrategy.class)
    public record CommittedView(
            String path, long version, String sha256, long sizeBytes, String contentType, boolean changed) {}

    /**
     * What callers see as the upload's id. It holds the project too, so that the ordinary filter can find the project and ask the
     * policy about it before anything of the upload is looked at.
     */
    static String wireId(SignedUpload upload) {
        return upload.scope().workspace().value()
                + "~" + upload.scope().project().value()
                + "~" + upload.id().value();
    }

    static String putUrl(String base, SignedUrls urls, SignedUpload upload) {
        long expires = upload.expiresAt().getEpochSecond();
        String id = upload.id().value();
        return base + "/v1/signed/uploads/" + id
                + query(upload.path(), expires, urls.sign(PUT, id, upload.path(), expires));
    }

    static String getUrl(String base, SignedUrls urls, StoredFile file, Instant expiresAt) {
        long expires = expiresAt.getEpochSecond();
        String digest = file.digest().hex();
        return base + "/v1/signed/blobs/" + digest
                + query(file.path(), expires, urls.sign(GET, digest, file.path(), expires));
    }

    private static String query(String path, long expires, String signature) {
        return "?path=" + URLEncoder.encode(path, StandardCharsets.UTF_8).replace("+", "%20") + "&expires=" + expires
                + "&signature=" + signature;
    }

    /** Takes the upload into the project's files. */
    @POST
    @Path("uploads/{workspace}~{project}~{upload}:commit")
    @Consumes(MediaType.APPLICATION_JSON)
    @Produces(MediaType.APPLICATION_JSON)
    @PlaneAction("files.write")
    @Operation(operationId = "commitUpload", summary = "Take an upload into the project's files")
    public Uni<CommittedView> commit(@RestPath String upload, @Nullable Commit body) {
        UploadId id = Refusal.orNotFound(() -> UploadId.parse(upload));
        Optional<Long> expected = Optional.ofNullable(body).map(Commit::expectedVersion);
        return files.commit(call.scope(), Causes.of(call), id, expected)
                .map(committed -> new CommittedView(
                        committed.file().path(),
                        committed.file().version(),
                        committed.file().digest().hex(),
                        committed.file().sizeBytes(),
                        committed.file().contentType(),
                        committed.changed()));
    }

    /** Receives the bytes of an upload; checked against what was signed while they come in. */
    @PUT
    @Path("signed/uploads/{upload}")
    @Produces(MediaType.APPLICATION_JSON)
    @Tokenless(reason = "the URL is signed for this upload")
    @Operation(operationId = "putUpload", summary = "Send the bytes of a signed upload")
    public Uni<Response> put(
            @RestPath String upload,
            @RestQuery @Nullable String path,
            @RestQuery @Nullable String expires,
            @RestQuery @Nullable String signature) {
        return key.urls()
                .invoke(urls -> check(urls, PUT, upload, path, expires, signature))
                .chain(() -> files.awaiting(Refusal.orNotFound(() -> UploadId.parse(upload))))
                .invoke(this::checkHead)
                .chain(signed -> receiving.receive(
                        signed.scope().project(),
                        routing.request(),
                        signed.sizeBytes(),
                        config.uploadReceiveTimeout(),
                        bytes -> files.store(signed, bytes)))
                .map(_ -> Response.ok("{}", MediaType.APPLICATION_JSON_TYPE).build());
    }

    /** Gives the bytes that the URL was signed for. */
    @GET
    @Path("signed/blobs/{digest}")
    @Tokenless(reason = "the URL is signed for this blob")
    @Operation(operationId = "getBlob", summary = "Get the bytes of a signed download")
    @APIResponse(
            responseCode = "200",
            description = "The bytes",
            content =
                    @Content(
                            mediaType = "application/octet-stream",
                            schema = @Schema(type = SchemaType.STRING, format = "binary")))
    public Uni<Response> get(
            @RestPath String digest,
            @RestQuery @Nullable String path,
            @RestQuery @Nullable String expires,
            @RestQuery @Nullable String signature) {
        return key.urls()
                .invoke(urls -> check(urls, GET, digest, path, expires, signature))
                .chain(() -> files.blobSize(Refusal.orNotFound(() -> Digest.ofHex(digest))))
                .chain(size -> receiving.room(new ByteBudget.Holder.Downloads(), size))
                .invoke(this::holdUntilSent)
                .chain(() -> files.blob(Digest.ofHex(digest)))
                // Somebody else's content comes from our address: a browser must neither run nor guess at it.
                .map(bytes -> Response.ok(bytes, MediaType.APPLICATION_OCTET_STREAM_TYPE)
                        .header("Cache-Control", "private, no-store")
                        .header("Content-Disposition", "attachment")
                        .header("Content-Security-Policy", "default-src 'none'; sandbox")
                        .header("X-Content-Type-Options", "nosniff")
                        .build());
    }

    /** The bytes are in memory until the caller has them; one who takes too long loses the connection. */
    private void holdUntilSent(ByteBudget.Share share) {
        long timer = routing.vertx().setTimer(config.uploadReceiveTimeout().toMillis(), _ -> {
            var _ = routing.request().connection().close();
        });
        routing.addEndHandler(_ -> {
            share.close();
            routing.vertx().cancelTimer(timer);
        });
    }

    private void check(
            SignedUrls urls,
            String method,
            String subject,
            @Nullable String path,
            @Nullable String expires,
            @Nullable String signature) {
        if (path == null
                || expires == null
                || !SECONDS.matcher(expires).matches()
                || signature == null
                || !urls.holds(method, subject, path, Long.parseLong(expires), signature, clock.instant())) {
            throw new Refusal(
                    ErrorCode.SIGNED_URL_INVALID,
                    "The signed URL is changed, expired or for something else; sign a new one.");
        }
    }

    private void checkHead(SignedUpload signed) {
        HttpServerRequest request = routing.request();
        String type = request.getHeader("Content-Type");
        if (!signed.contentType().equals(type)) {
            throw new Refusal(
                    ErrorCode.SIGNED_URL_INVALID,
                    "The upload was signed for Content-Type " + signed.contentType() + "; send exactly that.");
        }
        // RFC 9110, sections 8.4 and 14.5: what is not understood must not be stored as if it were the file.
        String encoding = request.getHeader("Content-Encoding");
        if (encoding != null && !encoding.equalsIgnoreCase("identity")) {
            throw new Refusal(
                    ErrorCode.UNSUPPORTED_MEDIA_TYPE, "An upload's body is not encoded; send the bytes as they are.");
        }
        if (request.getHeader("Content-Range") != null) {
            throw new Refusal(ErrorCode.MALFORMED_REQUEST, "An upload comes in one piece; Content-Range is not taken.");
        }
        String length = request.getHeader("Content-Length");
        if (length != null && !length.equals(Long.toString(signed.sizeBytes()))) {
            throw Receiving.wrongSize(signed.sizeBytes(), "Content-Length says " + length);
        }
    }
}
