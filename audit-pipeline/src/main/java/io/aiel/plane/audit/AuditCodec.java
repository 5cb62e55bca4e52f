package io.aiel.plane.audit;

import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.EventId;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.ModelUse;
import io.aiel.plane.vocabulary.NetworkHost;
import io.aiel.plane.vocabulary.Obligations;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.ResolvedCapability;
import io.aiel.plane.vocabulary.RetryRule;
import io.aiel.plane.vocabulary.Usage;
import io.aiel.plane.vocabulary.WorkspaceId;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

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
    // Most records are shorter; a longer one costs a copy.
    private static final int RECORD_CHARACTERS_EXPECTED = 2_048;

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
        CanonicalJson json = new CanonicalJson(RECORD_CHARACTERS_EXPECTED).beginObject();
        json.name("data").beginObject();
        writeData(json, event);
        json.endObject();
        json.member("datacontenttype", "application/json");
        json.member("dataschema", "urn:aiel:plane:event:" + EventTypes.shortName(type) + ":v1");
        json.member("id", id.value());
        json.member("prev", position.hash().orElse(GENESIS).value());
        // CloudEvents 3.1: extension names are lower-case letters and digits; an absent value is left out.
        writeOptional(json, "principal", context.principal().map(PrincipalId::value));
        writeOptional(json, "project", context.project().map(ProjectId::value));
        writeOptional(json, "requestid", Optional.of(context.requestId()));
        json.member("sequence", FixedWidth.sequence(sequence));
        json.member("source", source(context));
        json.member("specversion", "1.0");
        json.member("stream", position.stream());
        json.member("subject", subject(event));
        json.member("tenant", context.tenant().value());
        json.member("time", FixedWidth.time(clock.instant()));
        writeOptional(json, "traceparent", Optional.of(context.traceparent()));
        json.member("type", type);
        writeOptional(json, "workspace", context.workspace().map(WorkspaceId::value));
        String canonical = json.endObject().toString();
        return new AuditRecord(
                id, context.tenant(), position.stream(), sequence, type, Digest.of(canonical), canonical);
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
            case AuditEvent.IntegrationCalled called -> called.call();
            case AuditEvent.IntegrationAnswered answered -> answered.call();
            case AuditEvent.IntegrationRefused refused -> refused.connection();
        };
        // CloudEvents 3.1.2: a subject is never empty.
        return subject.isEmpty() ? "-" : RecordText.clean(subject, NAME_CHARACTERS_MAX);
    }

    private static void writeData(CanonicalJson json, AuditEvent event) {
        switch (event) {
            case AuditEvent.ExecutionRequested requested -> writeRequested(json, requested);
            case AuditEvent.PolicyDecided decided -> {
                writeVerdict(json, decided.decision());
                writeId(json, decided);
                writeGrounds(json, decided.decision());
                writeUndecided(json, decided.decision());
            }
            case AuditEvent.ExecutionAdmitted admitted -> writeId(json, admitted);
            case AuditEvent.ExecutionQueued queued -> {
                json.member("attempts_max", queued.attemptsMax());
                queued.callback().ifPresent(host -> json.member("callback_host", name(host.toString())));
                writeId(json, queued);
                json.member("priority", queued.priority());
                json.member("ready_at", FixedWidth.time(queued.readyAt()));
            }
            case AuditEvent.ExecutionAttempted attempted -> writeAttempted(json, attempted);
            case AuditEvent.ExecutionDenied denied -> {
                json.member("code", name(denied.code()));
                writeId(json, denied);
                writeTexts(json, "reasons", denied.reasons());
            }
            case AuditEvent.ExecutionFinished finished -> writeFinished(json, finished);
            case AuditEvent.ExecutionCalled called -> {
                json.member("action", name(called.action()));
                called.decision()
                        .ifPresent(decision ->
                                json.member("decision_id", decision.id().value()));
                writeId(json, called);
                called.decision().ifPresent(decision -> {
                    json.member("policy", decision.policyDigest().value());
                    writeTexts(json, "reasons", decision.reasons());
                });
                json.member("resource", name(called.resource()));
            }
            case AuditEvent.ExecutionAnswered answered -> writeAnswered(json, answered);
            case AuditEvent.EgressAllowed allowed -> {
                json.member("address", name(allowed.address()));
                json.member("connection", allowed.connection());
                writeId(json, allowed);
                json.member("host", name(allowed.host()));
                json.member("port", allowed.port());
                json.member("scheme", name(allowed.scheme()));
            }
            case AuditEvent.EgressRefused refused -> {
                json.member("connection", refused.connection());
                json.member("detail", name(refused.detail()));
                writeId(json, refused);
                json.member("host", name(refused.host()));
                json.member("port", refused.port());
                json.member("reason", name(refused.reason()));
            }
            case AuditEvent.EgressClosed closed -> {
                json.member("bytes_received", closed.bytesReceived());
                json.member("bytes_sent", closed.bytesSent());
                json.member("connection", closed.connection());
                writeId(json, closed);
                json.member("host", name(closed.host()));
                json.member("open_ms", closed.openMs());
                json.member("port", closed.port());
                json.member("reason", name(closed.reason()));
            }
            case AuditEvent.ControlChanged changed -> {
                writeFacts(json, changed.facts());
                json.member("subject_id", name(changed.subjectId()));
                json.member("what", name(changed.what()));
            }
            case AuditEvent.AccessDenied denied -> {
                json.member("action", name(denied.action()));
                writeVerdict(json, denied.decision());
                writeGrounds(json, denied.decision());
                json.member("resource", name(denied.resource()));
                writeUndecided(json, denied.decision());
            }
            case AuditEvent.SnapshotSealed sealed -> {
                json.member("findings", sealed.findings());
                json.member("project_id", sealed.scope().project().value());
                json.member("snapshot", sealed.snapshot().value());
                json.member("snapshot_id", name(sealed.snapshotId()));
                json.member("valid", sealed.valid());
                json.member("workspace_id", sealed.scope().workspace().value());
            }
            case AuditEvent.SnapshotDeployed deployed -> {
                json.member("deployment_id", name(deployed.deploymentId()));
                json.member("environment", name(deployed.environment()));
                json.member("project_id", deployed.scope().project().value());
                json.member("snapshot", deployed.snapshot().value());
                json.member("workspace_id", deployed.scope().workspace().value());
            }
            case AuditEvent.AuditRead read -> {
                json.member("query", RecordText.clean(read.query(), TEXT_CHARACTERS_MAX));
                json.member("records", read.records());
            }
            case AuditEvent.IntegrationCalled called -> {
                json.member("action", name(called.action()));
                json.member("call_id", name(called.call()));
                json.member("connection_id", name(called.connection()));
                writeOptional(json, "execution_id", called.execution().map(ExecutionId::value));
                writeOptional(
                        json,
                        "idempotency_key_digest",
                        called.idempotencyKey().map(key -> Digest.of(key).value()));
                json.member("request_digest", called.requestDigest().value());
            }
            case AuditEvent.IntegrationAnswered answered -> {
                json.member("action", name(answered.action()));
                json.member("call_id", name(answered.call()));
                writeOptional(json, "code", Optional.of(answered.code()));
                json.member("connection_id", name(answered.connection()));
                writeOptional(json, "execution_id", answered.execution().map(ExecutionId::value));
                writeOptional(json, "response_digest", answered.responseDigest().map(Digest::value));
                json.member("status", name(answered.status()));
            }
            case AuditEvent.IntegrationRefused refused -> {
                json.member("action", name(refused.action()));
                json.member("code", name(refused.code()));
                json.member("connection_id", name(refused.connection()));
                writeOptional(json, "execution_id", refused.execution().map(ExecutionId::value));
            }
        }
    }

    private static void writeRequested(CanonicalJson json, AuditEvent.ExecutionRequested event) {
        ResolvedCapability target = event.target();
        json.member("action", name(event.action()));
        writeOptional(json, "arguments_digest", event.argumentsDigest().map(Digest::value));
        json.member("bundle", name(target.bundle()));
        if (target.capability().isPresent()) {
            Capability capability = target.capability().get();
            json.member("capability", name(capability.ref().toString()));
            json.member("contract", capability.contractDigest().value());
        }
        writeOptional(json, "environment", target.environment());
        writeId(json, event);
        // The caller's own text, which may well hold an order number or a mail address.
        writeOptional(
                json,
                "idempotency_key_digest",
                event.idempotencyKey().map(key -> Digest.of(key).value()));
        json.member("project_id", event.scope().project().value());
        writeOptional(json, "replay_of", event.replayOf().map(ExecutionId::value));
        json.member("snapshot", target.snapshot().digest().value());
        json.member("snapshot_id", name(target.snapshot().snapshotId()));
        json.member("timeout_ms", event.timeoutMs());
        json.member("workspace_id", event.scope().workspace().value());
    }

    private static void writeFinished(CanonicalJson json, AuditEvent.ExecutionFinished event) {
        writeOptional(json, "code", Optional.of(event.code()));
        writeId(json, event);
        json.member("http_status", event.httpStatus());
        writeJson(json, "isolation", event.isolation(), SMALL_JSON_CHARACTERS_MAX);
        writeModels(json, event.models());
        if (event.outputProblems() > 0) {
            json.member("output_problems", event.outputProblems());
        }
        writeOptional(json, "result_digest", event.resultDigest().map(Digest::value));
        json.member("status", name(event.status()));
        writeUsage(json, event.usage());
        writeOptional(json, "worker_id", Optional.of(event.workerId()));
    }

    private static void writeAttempted(CanonicalJson json, AuditEvent.ExecutionAttempted event) {
        json.member("attempt", event.attempt());
        json.member("code", name(event.code()));
        writeId(json, event);
        json.member("http_status", event.httpStatus());
        json.member("next_at", FixedWidth.time(event.nextAt()));
        json.member("ran", event.ran());
        json.member("status", name(event.status()));
        writeUsage(json, event.usage());
        writeOptional(json, "worker_id", Optional.of(event.workerId()));
    }

    private static void writeAnswered(CanonicalJson json, AuditEvent.ExecutionAnswered event) {
        json.member("action", name(event.action()));
        json.member("call_id", name(event.call()));
        writeOptional(json, "code", Optional.of(event.code()));
        json.member("connection_id", name(event.connection()));
        json.member("duration_ms", event.durationMs());
        writeId(json, event);
        writeModels(json, event.models());
        json.member("request_digest", event.requestDigest().value());
        writeOptional(json, "response_digest", event.responseDigest().map(Digest::value));
        json.member("status", name(event.status()));
    }

    private static void writeModels(CanonicalJson json, ModelUse use) {
        if (use.equals(ModelUse.NONE)) {
            return;
        }
        json.name("model_usage").beginObject();
        json.member("calls", use.calls());
        json.member("input_tokens", use.inputTokens());
        json.member("output_tokens", use.outputTokens());
        json.member("total_tokens", use.totalTokens());
        json.endObject();
    }

    private static void writeUsage(CanonicalJson json, Usage usage) {
        json.name("usage").beginObject();
        json.member("cpu_ms", usage.cpuMs());
        json.member("max_rss_bytes", usage.maxRssBytes());
        json.member("wall_ms", usage.wallMs());
        json.endObject();
    }

    // A decision's members stand in three groups, as members of the event come between them.

    private static void writeVerdict(CanonicalJson json, Decision decision) {
        json.member(
                "decision",
                switch (decision) {
                    case Decision.Allow _ -> "allow";
                    case Decision.Deny _ -> "deny";
                });
        json.member("decision_id", decision.id().value());
    }

    private static void writeGrounds(CanonicalJson json, Decision decision) {
        writeJson(json, "input", decision.input(), INPUT_CHARACTERS_MAX);
        if (decision instanceof Decision.Allow allow) {
            writeObligations(json, allow.obligations());
        }
        json.member("policy", decision.policyDigest().value());
        writeTexts(json, "reasons", decision.reasons());
    }

    private static void writeUndecided(CanonicalJson json, Decision decision) {
        if (decision instanceof Decision.Deny deny) {
            json.member("undecided", deny.undecided());
        }
    }

    private static void writeObligations(CanonicalJson json, Obligations obligations) {
        json.name("obligations").beginObject();
        json.member("approval_required", obligations.approvalRequired());
        writeOptional(json, "log_level", obligations.logLevel());
        if (obligations.maxMemoryMb().isPresent()) {
            json.member("max_memory_mb", obligations.maxMemoryMb().getAsInt());
        }
        json.member("network", !obligations.network().isEmpty());
        writeTexts(
                json,
                "network_hosts",
                obligations.network().stream().map(NetworkHost::toString).toList());
        writeTexts(json, "redact", obligations.redact());
        if (obligations.retry().isPresent()) {
            RetryRule retry = obligations.retry().get();
            json.name("retry").beginObject();
            json.member("backoff_max_ms", retry.backoffMax().toMillis());
            json.member("backoff_ms", retry.backoff().toMillis());
            json.member("max_attempts", retry.attemptsMax());
            json.endObject();
        }
        json.member("subprocess", obligations.subprocess());
        if (obligations.timeoutMs().isPresent()) {
            json.member("timeout_ms", obligations.timeoutMs().getAsInt());
        }
        json.endObject();
    }

    /**
     * Writes {@code field} as JSON, or {@code field_text} as a string that holds the JSON text, or only {@code field_cut: true}
     * when it is too large; {@code field_digest} over the text as it came in each case.
     */
    private static void writeJson(CanonicalJson json, String field, JsonText document, int charactersMax) {
        String given = document.value();
        String digest = Digest.of(given).value();
        boolean isShort = given.length() <= charactersMax;
        Optional<String> canonical = isShort ? EmbeddedJson.canonical(document) : Optional.empty();
        if (canonical.isPresent()) {
            json.memberJson(field, canonical.get());
            json.member(field + "_digest", digest);
            return;
        }
        Optional<String> text = isShort
                ? Optional.of(RecordText.escapeJson(given)).filter(escaped -> escaped.length() <= charactersMax)
                : Optional.empty();
        if (text.isEmpty()) {
            json.member(field + "_characters", given.length());
            json.member(field + "_cut", true);
        }
        json.member(field + "_digest", digest);
        text.ifPresent(escaped -> json.member(field + "_text", escaped));
    }

    private static void writeId(CanonicalJson json, AuditEvent.OfExecution event) {
        json.member("execution_id", event.execution().value());
    }

    private static void writeFacts(CanonicalJson json, Map<String, String> facts) {
        // Sorted, so that which are left out does not depend on the map; names that become equal when cleaned get
        // numbered.
        TreeMap<String, String> cleaned = new TreeMap<>();
        for (Map.Entry<String, String> fact : new TreeMap<>(facts).entrySet()) {
            if (cleaned.size() == LIST_ENTRIES_MAX) {
                break;
            }
            String name = RecordText.clean(fact.getKey(), NAME_CHARACTERS_MAX);
            while (cleaned.containsKey(name)) {
                name = name + "'";
            }
            cleaned.put(name, RecordText.clean(fact.getValue(), TEXT_CHARACTERS_MAX));
        }
        json.name("facts").beginObject();
        cleaned.forEach(json::member);
        json.endObject();
        if (facts.size() > LIST_ENTRIES_MAX) {
            json.member("facts_left_out", facts.size() - LIST_ENTRIES_MAX);
        }
    }

    private static void writeTexts(CanonicalJson json, String field, List<String> texts) {
        json.name(field).beginArray();
        for (String text : texts.subList(0, Math.min(texts.size(), LIST_ENTRIES_MAX))) {
            json.element(RecordText.clean(text, TEXT_CHARACTERS_MAX));
        }
        json.endArray();
        if (texts.size() > LIST_ENTRIES_MAX) {
            json.member(field + "_left_out", texts.size() - LIST_ENTRIES_MAX);
        }
    }

    private static void writeOptional(CanonicalJson json, String field, Optional<String> value) {
        if (value.isPresent() && !value.get().isEmpty()) {
            json.member(field, RecordText.clean(value.get(), HEADER_CHARACTERS_MAX));
        }
    }

    private static String name(String text) {
        return RecordText.clean(text, NAME_CHARACTERS_MAX);
    }
}
