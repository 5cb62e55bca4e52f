package io.aiel.plane.audit;

import io.aiel.plane.vocabulary.EventId;
import io.aiel.plane.vocabulary.JsonText;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.erdtman.jcs.JsonCanonicalizer;

/** Recording what callers sent: never fails, and each record is one line that the log reads back. */
public final class AuditCodecFuzz {
    private static final AuditCodec CODEC = new AuditCodec(AuditEvents.CLOCK);
    private static final EventId ID = new EventId("evt_" + "0".repeat(31) + "9");

    private AuditCodecFuzz() {}

    /** A text that a caller could put anywhere; as JSON too, when it is. UTF-16 when it begins with that mark. */
    public static void fuzzerTestOneInput(byte[] input) {
        boolean wide = input.length > 2 && input[0] == (byte) 0xfe && input[1] == (byte) 0xff;
        String text = wide ? wide(input) : new String(input, StandardCharsets.UTF_8);
        Map<String, String> facts = new HashMap<>(Map.of("a", text));
        facts.put(text, "b");
        AuditContext context =
                new AuditContext(AuditEvents.TENANT, Optional.empty(), Optional.empty(), Optional.empty(), text, text);
        for (AuditEvent event : List.of(
                new AuditEvent.ControlChanged(text, text, facts),
                new AuditEvent.AuditRead(text, 1),
                new AuditEvent.ExecutionDenied(AuditEvents.EXECUTION, text, List.of(text)),
                new AuditEvent.AccessDenied(text, text, AuditEvents.deny(text, text)))) {
            AuditRecord record =
                    CODEC.encode(context, event, StreamPosition.start("control/" + AuditEvents.TENANT.value()), ID);
            check(record.canonical());
        }
        Optional<String> embedded = EmbeddedJson.canonical(new JsonText(text));
        embedded.ifPresent(canonical -> {
            Optional<String> again = EmbeddedJson.canonical(new JsonText(canonical));
            if (again.isPresent() && !again.equals(embedded)) {
                throw new AssertionError("the canonical form of a canonical form is another");
            }
        });
    }

    /** Halves of surrogate pairs too, which every decoder of Java replaces. */
    private static String wide(byte[] input) {
        return ByteBuffer.wrap(input, 2, (input.length - 2) & ~1).asCharBuffer().toString();
    }

    private static void check(String canonical) {
        if (canonical.codePoints().anyMatch(c -> c < 0x20 || c == 0x7f || c == 0x2028 || c == 0x202e)) {
            throw new AssertionError("a record that is more than a line");
        }
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(canonical)) {
            throw new AssertionError("a record that has no bytes");
        }
        try {
            if (!new JsonCanonicalizer(canonical).getEncodedString().equals(canonical)) {
                throw new AssertionError("a record that is not canonical");
            }
        } catch (IOException e) {
            throw new AssertionError("a record that is no JSON", e);
        }
        if (!LogEntry.parse(canonical.getBytes(StandardCharsets.UTF_8))
                .canonical()
                .equals(canonical)) {
            throw new AssertionError("the log reads another record");
        }
    }
}
