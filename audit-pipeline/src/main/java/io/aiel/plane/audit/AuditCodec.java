package io.aiel.plane.audit;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.EventId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.ResolvedCapability;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.erdtman.jcs.JsonCanonicalizer;

/**
 * Turns an event into the record that is kept: CloudEvents 1.0 JSON in RFC 8785 canonical form with a hash over it. Thread-safe;
 * computation only. Recording must not fail for what a caller sent, so foreign text is bounded and cleaned and foreign JSON is
 * kept as text where it has no exact canonical form.
 */
public final class AuditCodec {
    /** {@code prev} of a stream's first record. */
    public static final Digest GENESIS = Digest.ofHex("0".repeat(64));

    private static final int NAME_CHARACTERS_MAX = 600;
    private static final int TEXT_CHARACTERS_MAX = 2_000;
    private static final int HEADER_CHARACTERS_MAX = 200;
    private static final int LIST_ENTRIES_MAX = 64;
    // A Kafka broker takes 1 MiB a message by default; what is beside the input needs less than 256 KiB at its worst.
    private static final int INPUT_CHARACTERS_MAX = 192 * 1024;
    private static final int SMALL_JSON_CHARACTERS_MAX = 8 * 1024;
    private static final JsonFactory JSON = new JsonFactory();
    // Fixed width, so that times order as text; microseconds, because that is what the database keeps.
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSSSS'Z'").withZone(ZoneOffset.UTC);

    private final Clock clock;

    public AuditCodec(Clock clock) {
        this.clock = clock;
    }

    /** The record of this event as the next of the stream that stands at {@code position}, with a new id. */
    public AuditRecord encode(AuditContext context, AuditEvent event, StreamPosition position) {
        return encode(context, event, position, EventId.create());
    }

    /** The record of this event as the next of the stream that stands at {@code position}. */
    public AuditRecord encode(AuditContext context, AuditEvent event, StreamPosition position, EventId id) {
        String type = EventTypes.of(event);
        long sequence = position.sequence() + 1;
        Instant time = clock.instant().truncatedTo(ChronoUnit.MICROS);
        StringWriter text = new StringWriter(1024);
        String canonical;
        try {
            try (JsonGenerator json = JSON.createGenerator(text)) {
                json.writeStartObject();
                writeAttributes(json, context, event, position, id, type, sequence, time);
                json.writeObjectFieldStart("data");
                writeData(json, event);
                json.writeEndObject();
                json.writeEndObject();
            }
            canonical = new JsonCanonicalizer(text.toString()).getEncodedString();
        } catch (IOException e) {
            throw new UncheckedIOException("a record written by this class is JSON", e);
        }
        return new AuditRecord(
                id, context.tenant(), position.stream(), sequence, type, Digest.of(canonical), canonical);
    }

    /** A record's {@code sequence} attribute: fixed width, as the CloudEvents sequence extension wants an order by text. */
    static String sequenceText(long sequence) {
        return String.format("%015d", sequence);
    }

    private static void writeAttributes(
            JsonGenerator json,
            AuditContext context,
            AuditEvent event,
            StreamPosition position,
            EventId id,
            String type,
            long sequence,
            Instant time)
            throws IOException {
        json.writeStringField("specversion", "1.0");
        json.writeStringField("id", id.value());
        json.writeStringField("source", source(context));
        json.writeStringField("type", type);
        json.writeStringField("time", TIME.format(time));
        json.writeStringField("subject", subject(event));
        json.writeStringField("datacontenttype", "application/json");
        json.writeStringField("dataschema", "urn:aiel:plane:event:" + EventTypes.shortName(type) + ":v1");
        // CloudEvents 3.1: extension names are lower-case letters and digits; an absent value is left out.
        json.writeStringField("tenant", context.tenant().value());
        writeOptional(json, "workspace", context.workspace().map(Object::toString));
        writeOptional(json, "project", context.project().map(Object::toString));
        writeOptional(json, "principal", context.principal().map(Object::toString));
        writeOptional(json, "requestid", Optional.of(context.requestId()));
        writeOptional(json, "traceparent", Optional.of(context.traceparent()));
        json.writeStringField("stream", position.stream());
        json.writeStringField("sequence", sequenceText(sequence));
        json.writeStringField("prev", position.hash().orElse(GENESIS).value());
    }

    private static String source(AuditContext context) {
        StringBuilder source = new StringBuilder("/tenants/").append(context.tenant());
        context.workspace().ifPresent(workspace -> source.append("/workspaces/").append(workspace));
        context.project().ifPresent(project -> source.append("/projects/").append(project));
        return source.toString();
    }

    private static String subject(AuditEvent event) {
        String subject = switch (event) {
            case AuditEvent.OfExecution of -> of.execution().value();
            case AuditEvent.ControlChanged changed -> changed.subjectId();
            case AuditEvent.AccessDenied denied -> denied.resource();
            case AuditEvent.SnapshotSealed sealed -> sealed.snapshot().value();
            case AuditEvent.SnapshotDeployed deployed -> deployed.snapshot().value();
            case AuditEvent.AuditRead _ -> "audit";
        };
        // CloudEvents 3.1.2: a subject is never empty.
        return subject.isEmpty() ? "-" : RecordText.clean(subject, NAME_CHARACTERS_MAX);
    }

    private static void writeData(JsonGenerator json, AuditEvent event) throws IOException {
        switch (event) {
            case AuditEvent.ExecutionRequested requested -> writeRequested(json, requested);
            case AuditEvent.PolicyDecided decided -> {
                writeId(json, decided);
                writeDecision(json, decided.decision());
            }
            case AuditEvent.ExecutionAdmitted admitted -> writeId(json, admitted);
            case AuditEvent.ExecutionDenied denied -> {
                writeId(json, denied);
                json.writeStringField("code", name(denied.code()));
                writeTexts(json, "reasons", denied.reasons());
            }
            case AuditEvent.ExecutionFinished finished -> writeFinished(json, finished);
            case AuditEvent.ControlChanged changed -> {
                json.writeStringField("what", name(changed.what()));
                json.writeStringField("subject_id", name(changed.subjectId()));
                writeFacts(json, changed.facts());
            }
            case AuditEvent.AccessDenied denied -> {
                json.writeStringField("action", name(denied.action()));
                json.writeStringField("resource", name(denied.resource()));
                writeDecision(json, denied.decision());
            }
            case AuditEvent.SnapshotSealed sealed -> {
                writeScope(json, sealed.scope());
                json.writeStringField("snapshot", sealed.snapshot().value());
                json.writeStringField("snapshot_id", name(sealed.snapshotId()));
                json.writeBooleanField("valid", sealed.valid());
                json.writeNumberField("findings", sealed.findings());
            }
            case AuditEvent.SnapshotDeployed deployed -> {
                writeScope(json, deployed.scope());
                json.writeStringField("snapshot", deployed.snapshot().value());
                json.writeStringField("environment", name(deployed.environment()));
                json.writeStringField("deployment_id", name(deployed.deploymentId()));
            }
            case AuditEvent.AuditRead read -> {
                json.writeStringField("query", RecordText.clean(read.query(), TEXT_CHARACTERS_MAX));
                json.writeNumberField("records", read.records());
            }
        }
    }

    private static void writeRequested(JsonGenerator json, AuditEvent.ExecutionRequested event) throws IOException {
        ResolvedCapability target = event.target();
        writeId(json, event);
        writeScope(json, event.scope());
        json.writeStringField("action", name(event.action()));
        if (target.capability().isPresent()) {
            Capability capability = target.capability().get();
            json.writeStringField("capability", name(capability.ref().toString()));
            json.writeStringField("contract", capability.contractDigest().value());
        }
        writeOptional(json, "environment", target.environment());
        json.writeStringField("snapshot", target.snapshot().digest().value());
        json.writeStringField("snapshot_id", name(target.snapshot().snapshotId()));
        json.writeStringField("bundle", name(target.bundle()));
        writeOptional(json, "arguments_digest", event.argumentsDigest().map(Digest::value));
        json.writeNumberField("timeout_ms", event.timeoutMs());
        // The caller's own text, which may well hold an order number or a mail address.
        writeOptional(
                json,
                "idempotency_key_digest",
                event.idempotencyKey().map(key -> Digest.of(key).value()));
    }

    private static void writeFinished(JsonGenerator json, AuditEvent.ExecutionFinished event) throws IOException {
        writeId(json, event);
        json.writeStringField("status", name(event.status()));
        json.writeNumberField("http_status", event.httpStatus());
        writeOptional(json, "code", Optional.of(event.code()));
        writeOptional(json, "result_digest", event.resultDigest().map(Digest::value));
        json.writeObjectFieldStart("usage");
        json.writeNumberField("cpu_ms", event.usage().cpuMs());
        json.writeNumberField("wall_ms", event.usage().wallMs());
        json.writeNumberField("max_rss_bytes", event.usage().maxRssBytes());
        json.writeEndObject();
        writeJson(json, "isolation", event.isolation(), SMALL_JSON_CHARACTERS_MAX);
        writeOptional(json, "worker_id", Optional.of(event.workerId()));
    }

    private static void writeDecision(JsonGenerator json, Decision decision) throws IOException {
        json.writeStringField("decision_id", decision.id().value());
        json.writeStringField("policy", decision.policyDigest().value());
        json.writeStringField(
                "decision",
                switch (decision) {
                    case Decision.Allow _ -> "allow";
                    case Decision.Deny _ -> "deny";
                });
        writeTexts(json, "reasons", decision.reasons());
        switch (decision) {
            case Decision.Allow allow -> {
                json.writeObjectFieldStart("obligations");
                var obligations = allow.obligations();
                if (obligations.timeoutMs().isPresent()) {
                    json.writeNumberField("timeout_ms", obligations.timeoutMs().getAsInt());
                }
                if (obligations.maxMemoryMb().isPresent()) {
                    json.writeNumberField(
                            "max_memory_mb", obligations.maxMemoryMb().getAsInt());
                }
                writeTexts(json, "redact", obligations.redact());
                json.writeBooleanField("approval_required", obligations.approvalRequired());
                json.writeBooleanField("network", obligations.network());
                writeOptional(json, "log_level", obligations.logLevel());
                json.writeEndObject();
            }
            case Decision.Deny deny -> json.writeBooleanField("undecided", deny.undecided());
        }
        writeJson(json, "input", decision.input(), INPUT_CHARACTERS_MAX);
    }

    /**
     * Writes {@code field} as JSON, or {@code field_text} as a string that holds the JSON text, or only {@code field_cut: true}
     * when it is too large; {@code field_digest} over the text as it came in each case.
     */
    private static void writeJson(JsonGenerator json, String field, JsonText document, int charactersMax)
            throws IOException {
        json.writeStringField(field + "_digest", Digest.of(document.value()).value());
        if (document.value().length() > charactersMax) {
            json.writeBooleanField(field + "_cut", true);
            json.writeNumberField(field + "_characters", document.value().length());
            return;
        }
        Optional<String> canonical = EmbeddedJson.canonical(document);
        if (canonical.isPresent()) {
            json.writeFieldName(field);
            json.writeRawValue(canonical.get());
            return;
        }
        String text = RecordText.escapeJson(document.value());
        if (text.length() > charactersMax) {
            json.writeBooleanField(field + "_cut", true);
            json.writeNumberField(field + "_characters", document.value().length());
        } else {
            json.writeStringField(field + "_text", text);
        }
    }

    private static void writeId(JsonGenerator json, AuditEvent.OfExecution event) throws IOException {
        json.writeStringField("execution_id", event.execution().value());
    }

    private static void writeScope(JsonGenerator json, ProjectScope scope) throws IOException {
        json.writeStringField("workspace_id", scope.workspace().value());
        json.writeStringField("project_id", scope.project().value());
    }

    private static void writeFacts(JsonGenerator json, Map<String, String> facts) throws IOException {
        json.writeObjectFieldStart("facts");
        int written = 0;
        // Sorted, so that which are left out does not depend on the map; names that become equal when cleaned get
        // numbered.
        java.util.Set<String> names = new java.util.HashSet<>();
        for (Map.Entry<String, String> fact : new java.util.TreeMap<>(facts).entrySet()) {
            if (written++ == LIST_ENTRIES_MAX) {
                break;
            }
            String name = RecordText.clean(fact.getKey(), NAME_CHARACTERS_MAX);
            while (!names.add(name)) {
                name = name + "'";
            }
            json.writeStringField(name, RecordText.clean(fact.getValue(), TEXT_CHARACTERS_MAX));
        }
        json.writeEndObject();
        if (facts.size() > LIST_ENTRIES_MAX) {
            json.writeNumberField("facts_left_out", facts.size() - LIST_ENTRIES_MAX);
        }
    }

    private static void writeTexts(JsonGenerator json, String field, List<String> texts) throws IOException {
        json.writeArrayFieldStart(field);
        for (String text : texts.subList(0, Math.min(texts.size(), LIST_ENTRIES_MAX))) {
            json.writeString(RecordText.clean(text, TEXT_CHARACTERS_MAX));
        }
        json.writeEndArray();
        if (texts.size() > LIST_ENTRIES_MAX) {
            json.writeNumberField(field + "_left_out", texts.size() - LIST_ENTRIES_MAX);
        }
    }

    private static void writeOptional(JsonGenerator json, String field, Optional<String> value) throws IOException {
        if (value.isPresent() && !value.get().isEmpty()) {
            json.writeStringField(field, RecordText.clean(value.get(), HEADER_CHARACTERS_MAX));
        }
    }

    private static String name(String text) {
        return RecordText.clean(text, NAME_CHARACTERS_MAX);
    }
}
