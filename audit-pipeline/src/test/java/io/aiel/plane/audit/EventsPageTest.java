package io.aiel.plane.audit;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The reference page of events is what the codec writes. To write it anew: {@code -Dplane.docs.write=true}. */
class EventsPageTest {
    private static final Path PAGE = Path.of("..", "docs", "reference", "events.md");
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Fails when an event's form changes and the page does not. */
    @Test
    void showsEachEventAsTheCodecWritesIt() throws IOException {
        String page = page();
        if (Boolean.getBoolean("plane.docs.write")) {
            Files.writeString(PAGE, page);
        }

        assertThat(Files.readString(PAGE)).isEqualTo(page);
    }

    private static String page() throws IOException {
        StringBuilder page = new StringBuilder("""
                # Events

                <!-- Written by EventsPageTest in audit-pipeline; run it with -Dplane.docs.write=true after a change. -->

                Everything that the plane does is recorded as one of these events. A record is a [CloudEvents 1.0](https://cloudevents.io)
                event in JSON, in the canonical form of [RFC 8785](https://www.rfc-editor.org/rfc/rfc8785): one line, UTF-8, members sorted. Its hash is
                the SHA-256 of exactly these bytes. To check a record, hash what `GET /v1/audit/events` gives as `event` (as it stands, or
                canonicalised again) and compare with `hash`; to check a stream, compare each record's `prev` with the hash of the one before.

                | attribute | meaning |
                | --- | --- |
                | `id` | names the event |
                | `source` | tenant, workspace and project concerned, as a path |
                | `type` | what happened; a change of meaning gets a new version |
                | `time` | when it was recorded, UTC, six decimals |
                | `subject` | the execution or thing concerned |
                | `tenant`, `workspace`, `project` | ids; the latter two only where they apply |
                | `principal` | who caused it; absent when the plane itself did |
                | `requestid`, `traceparent` | the request and its W3C trace, where there is one |
                | `stream` | `execution/<id>` or `control/<tenant>` |
                | `sequence` | place in the stream: 15 digits, from 1, without gaps |
                | `prev` | hash of the record before in the stream; 64 zeros for the first |

                Payloads are recorded as digests only. Text that a caller chose is bounded (a longer one ends with its length and digest), and
                characters that break lines or steer terminals are replaced. A JSON document inside an event, such as a decision's `input`, has a
                `…_digest` over its text as it was. It stands as JSON where its canonical form means exactly the same; otherwise as
                `…_text`, a string that holds its text; if it is too large, only `…_cut` and `…_characters` say so.

                In Kafka the topic is `plane.audit.v1`, the key is the stream, the value is the record, and the headers are `content-type`, `type`, `tenant` and
                `hash`. A record may come more than once: `stream` and `sequence` tell. For each finished execution `plane.telemetry.v1` carries a usage summary,
                at least once, and before the record is in `plane.audit.v1`: the record's arrival in the log is what ends the plane's memory of both.

                The examples are indented for reading.
                """);
        for (AuditEvent event : AuditEvents.all()) {
            StreamPosition stream = event instanceof AuditEvent.OfExecution of
                    ? StreamPosition.startOf(of.execution())
                    : StreamPosition.startOf(AuditEvents.TENANT);
            AuditRecord record = new AuditCodec(AuditEvents.CLOCK)
                    .encode(
                            AuditEvents.CONTEXT,
                            event,
                            stream,
                            new io.aiel.plane.vocabulary.EventId("evt_" + "0".repeat(31) + "9"));
            page.append("\n## `").append(record.type()).append("`\n\n");
            page.append(meaning(event)).append("\n\n```json\n");
            page.append(JSON.writerWithDefaultPrettyPrinter()
                    .writeValueAsString(JSON.readTree(record.canonical()))
                    .replace("\r\n", "\n"));
            page.append("\n```\n");
        }
        return page.toString();
    }

    private static String meaning(AuditEvent event) {
        return switch (event) {
            case AuditEvent.ExecutionRequested _ ->
                "A caller asked for an execution, and what was asked for was found. The first record of its stream.";
            case AuditEvent.PolicyDecided _ ->
                "The policy was asked. Holds its full input, so that it can be asked again later under another policy.";
            case AuditEvent.ExecutionAdmitted _ -> "The execution will be handed to a worker.";
            case AuditEvent.ExecutionQueued _ ->
                "The execution waits in the queue. The policy is asked again before each start, so another `policy.decided` follows,"
                        + " and then `execution.admitted` or `execution.denied`.";
            case AuditEvent.ExecutionAttempted _ ->
                "An attempt of a queued execution is over, and it goes back into the queue, not to start before `next_at`: because its"
                        + " caller asked for retries, or because it did not run (`ran` is false; then the attempt is not counted).";
            case AuditEvent.ExecutionDenied _ -> "The policy denied it. The last record of a denied execution.";
            case AuditEvent.ExecutionFinished _ ->
                "It ended. The last record of an admitted execution; `status` is `succeeded`, `failed`, `timed_out`, `killed`,"
                        + " `cancelled`, `dead_letter` (the last of several attempts failed) or `lost` (the server stopped meanwhile, and its end is not known)."
                        + " Where the result does not fit the capability's output schema, `output_problems` says in how many places. `model_usage` is there when its code called language models, as their providers count.";
            case AuditEvent.ExecutionCalled _ ->
                "The code of an execution asked the plane's own API for something that it may do. Recorded before it was done."
                        + " `resource` is what the policy was asked about: of a call of an integration, the connection and the action."
                        + " `decision_id`, `policy` and `reasons` are of the decision that allowed it; what needs none, as `auth.me`, has none.";
            case AuditEvent.ExecutionAnswered _ ->
                "An action of an outside system that the code of an execution had called is over: `done`, `refused` or `unknown`, with `code` where it is not"
                        + " done. `model_usage` is there when it called a language model, as its provider counts. Written at the latest with the"
                        + " execution's last record; missing where the execution ended first, after a crash, or when the end of the call could not be put on"
                        + " record. The tenant's control stream has `integration.called` and `integration.answered` under the same `call_id`.";
            case AuditEvent.EgressAllowed _ ->
                "A worker is about to be connected to a named host, at the `address` that its name was resolved to and that was"
                        + " checked. Recorded before the first byte leaves.";
            case AuditEvent.EgressRefused _ ->
                "A worker asked for a connection that it may not have; nothing left. `host` is empty where it could not be read.";
            case AuditEvent.EgressClosed _ ->
                "A connection that was allowed is over; with the bytes that left and came. Missing after a crash of the server.";
            case AuditEvent.ControlChanged _ ->
                "Something was created, changed or removed through the control plane; `what` says what.";
            case AuditEvent.AccessDenied _ -> "A call other than an execution was refused by the policy.";
            case AuditEvent.SnapshotSealed _ -> "A snapshot was sealed and validated (`valid`) or rejected.";
            case AuditEvent.SnapshotDeployed _ -> "A snapshot became current in an environment.";
            case AuditEvent.AuditRead _ -> "Somebody read the audit log; `query` is what was asked.";
            case AuditEvent.IntegrationCalled _ ->
                "An action of an outside system is about to be called: recorded before the first byte of it leaves. `execution_id` is there when code of an execution called it.";
            case AuditEvent.IntegrationAnswered _ ->
                "That call is over: `done`, `refused` (nothing was changed there, as far as it says) or `unknown`, with `code` where it is not done.";
            case AuditEvent.IntegrationRefused _ ->
                "An action was asked for that the connection does not allow; nothing left.";
        };
    }
}
