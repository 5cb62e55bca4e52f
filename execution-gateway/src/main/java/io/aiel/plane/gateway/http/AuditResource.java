package io.aiel.plane.gateway.http;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.AuditQuery;
import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.audit.AuditTrail;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.audit.EventTypes;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.Principal;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import jakarta.inject.Singleton;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.MultivaluedMap;
import jakarta.ws.rs.core.UriInfo;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Function;
import org.eclipse.microprofile.openapi.annotations.Operation;
import org.eclipse.microprofile.openapi.annotations.enums.ParameterIn;
import org.eclipse.microprofile.openapi.annotations.enums.SchemaType;
import org.eclipse.microprofile.openapi.annotations.media.Content;
import org.eclipse.microprofile.openapi.annotations.media.Schema;
import org.eclipse.microprofile.openapi.annotations.parameters.Parameter;
import org.eclipse.microprofile.openapi.annotations.responses.APIResponse;
import org.eclipse.microprofile.openapi.annotations.tags.Tag;

/** Answers auditors. Each answer is recorded before it is given; an answer that cannot be recorded is not given. */
@Singleton
@Path("/v1/audit")
@Tag(name = "Audit")
class AuditResource {
    private static final JsonFactory JSON = new JsonFactory();
    private static final Duration RECORD_TIMEOUT = Duration.ofSeconds(2);
    private static final List<String> PARAMETERS = List.of(
            "principal",
            "type",
            "execution",
            "capability",
            "decision",
            "workspace",
            "project",
            "from",
            "to",
            "order",
            "limit",
            "cursor");

    private final AuditTrail trail;
    private final ControlAudit audit;
    private final Pool database;
    private final CallContext call;

    AuditResource(AuditTrail trail, ControlAudit audit, Pool database, CallContext call) {
        this.trail = trail;
        this.audit = audit;
        this.database = database;
        this.call = call;
    }

    /** A page of the caller's tenant's records: the stored canonical event, unchanged, and its hash. */
    @GET
    @Path("events")
    @Produces(MediaType.APPLICATION_JSON)
    @PlaneAction("audit.read")
    @Operation(
            operationId = "listAuditEvents",
            summary = "Read the audit log",
            description =
                    "A page of records, newest first unless order=oldest. Each has the stored canonical CloudEvent and its"
                            + " SHA-256. Reading is itself recorded.")
    @APIResponse(
            responseCode = "200",
            description = "OK",
            content = @Content(mediaType = "application/json", schema = @Schema(ref = "AuditPage")))
    @Parameter(
            name = "principal",
            in = ParameterIn.QUERY,
            schema = @Schema(type = SchemaType.STRING),
            description = "who acted, by id")
    @Parameter(
            name = "type",
            in = ParameterIn.QUERY,
            schema = @Schema(type = SchemaType.STRING),
            description = "the event type, in full or short (execution.finished)")
    @Parameter(
            name = "execution",
            in = ParameterIn.QUERY,
            schema = @Schema(type = SchemaType.STRING),
            description = "records of this execution")
    @Parameter(
            name = "capability",
            in = ParameterIn.QUERY,
            schema = @Schema(type = SchemaType.STRING),
            description = "records of executions of this capability (tool:greet)")
    @Parameter(
            name = "decision",
            in = ParameterIn.QUERY,
            schema = @Schema(type = SchemaType.STRING),
            description = "decisions that were allow or deny")
    @Parameter(
            name = "workspace",
            in = ParameterIn.QUERY,
            schema = @Schema(type = SchemaType.STRING),
            description = "records of this workspace, by id")
    @Parameter(
            name = "project",
            in = ParameterIn.QUERY,
            schema = @Schema(type = SchemaType.STRING),
            description = "records of this project, by id")
    @Parameter(
            name = "from",
            in = ParameterIn.QUERY,
            schema = @Schema(type = SchemaType.STRING),
            description = "earliest time, inclusive (ISO 8601)")
    @Parameter(
            name = "to",
            in = ParameterIn.QUERY,
            schema = @Schema(type = SchemaType.STRING),
            description = "latest time, exclusive (ISO 8601)")
    @Parameter(
            name = "order",
            in = ParameterIn.QUERY,
            schema = @Schema(type = SchemaType.STRING),
            description = "newest (default) or oldest first")
    @Parameter(
            name = "limit",
            in = ParameterIn.QUERY,
            schema = @Schema(type = SchemaType.STRING),
            description = "1 to 500, 100 by default")
    @Parameter(
            name = "cursor",
            in = ParameterIn.QUERY,
            schema = @Schema(type = SchemaType.STRING),
            description = "next_cursor of the page before")
    public Uni<String> events(@Context UriInfo uri) {
        AuditQuery query = query(uri.getQueryParameters(), call.principal());
        String asked = Optional.ofNullable(uri.getRequestUri().getQuery()).orElse("");
        var context = call.auditContext();
        return trail.find(query).chain(page -> {
            var read = new AuditEvent.AuditRead(asked, page.records().size());
            return database.withTransaction(transaction -> audit.record(transaction, context, read))
                    .ifNoItem()
                    .after(RECORD_TIMEOUT)
                    .fail()
                    .map(_ -> json(page));
        });
    }

    private static AuditQuery query(MultivaluedMap<String, String> parameters, Principal caller) {
        var unknown = new TreeSet<>(parameters.keySet());
        unknown.removeAll(PARAMETERS);
        if (!unknown.isEmpty()) {
            throw Refusal.invalid("query:" + unknown.first(), "unknown; known are " + String.join(", ", PARAMETERS));
        }
        // A token that is confined sees no more than its confines, whatever it asks for.
        Optional<WorkspaceId> workspace = parsed(parameters, "workspace", WorkspaceId::parse);
        Optional<ProjectId> project = parsed(parameters, "project", ProjectId::parse);
        refuseOutside("workspace", workspace, caller.workspace());
        refuseOutside("project", project, caller.project());
        Optional<Instant> from = parsed(parameters, "from", AuditResource::time);
        Optional<Instant> to = parsed(parameters, "to", AuditResource::time);
        if (from.isPresent() && to.isPresent() && to.get().isBefore(from.get())) {
            throw Refusal.invalid("query:to", "it is before from");
        }
        return new AuditQuery(
                caller.tenant(),
                caller.workspace().or(() -> workspace),
                caller.project().or(() -> project),
                parsed(parameters, "principal", PrincipalId::parse),
                parsed(parameters, "type", EventTypes::parse),
                parsed(parameters, "execution", ExecutionId::parse),
                parsed(parameters, "capability", AuditResource::capability),
                parsed(parameters, "decision", AuditResource::decision),
                from,
                to,
                parsed(parameters, "order", AuditResource::newestFirst).orElse(true),
                parsed(parameters, "limit", AuditResource::limit).orElse(AuditQuery.LIMIT_DEFAULT),
                parsed(parameters, "cursor", AuditQuery.Cursor::parse));
    }

    private static <T> void refuseOutside(String name, Optional<T> asked, Optional<T> confine) {
        if (asked.isPresent() && confine.isPresent() && !asked.equals(confine)) {
            throw Refusal.invalid("query:" + name, "the token is confined to another " + name);
        }
    }

    private static <T> Optional<T> parsed(
            MultivaluedMap<String, String> parameters, String name, Function<String, T> parse) {
        List<String> values = parameters.getOrDefault(name, List.of());
        if (values.size() > 1) {
            throw Refusal.invalid("query:" + name, "given more than once");
        }
        try {
            return values.stream().findFirst().map(parse);
        } catch (IllegalArgumentException e) {
            throw Refusal.invalid("query:" + name, String.valueOf(e.getMessage()));
        }
    }

    private static Instant time(String text) {
        try {
            // A plus sign that was not percent-encoded arrives as a blank.
            return OffsetDateTime.parse(text.replace(' ', '+')).toInstant();
        } catch (DateTimeParseException e) {
            throw new IllegalArgumentException("not a time; write it as 2026-03-04T05:06:07Z", e);
        }
    }

    private static String capability(String text) {
        if (text.isEmpty() || text.length() > 600 || text.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("a capability is written kind:name, such as tool:greet");
        }
        return text;
    }

    private static String decision(String text) {
        if (!text.equals("allow") && !text.equals("deny")) {
            throw new IllegalArgumentException("it is allow or deny");
        }
        return text;
    }

    private static boolean newestFirst(String text) {
        return switch (text) {
            case "newest" -> true;
            case "oldest" -> false;
            default -> throw new IllegalArgumentException("it is newest or oldest");
        };
    }

    private static int limit(String text) {
        if (!text.matches("[0-9]{1,3}")
                || Integer.parseInt(text) < 1
                || Integer.parseInt(text) > AuditQuery.LIMIT_MAX) {
            throw new IllegalArgumentException("it is a number from 1 to " + AuditQuery.LIMIT_MAX);
        }
        return Integer.parseInt(text);
    }

    private static String json(AuditTrail.Page page) {
        StringWriter text = new StringWriter();
        try (JsonGenerator json = JSON.createGenerator(text)) {
            json.writeStartObject();
            json.writeArrayFieldStart("events");
            for (AuditRecord record : page.records()) {
                json.writeStartObject();
                json.writeStringField("hash", record.hash().value());
                json.writeFieldName("event");
                // As stored, so that what a reader hashes is what was hashed.
                json.writeRawValue(record.canonical());
                json.writeEndObject();
            }
            json.writeEndArray();
            json.writeStringField(
                    "next_cursor", page.next().map(Object::toString).orElse(null));
            json.writeEndObject();
        } catch (IOException e) {
            throw new UncheckedIOException("text can always be written to memory", e);
        }
        return text.toString();
    }
}
