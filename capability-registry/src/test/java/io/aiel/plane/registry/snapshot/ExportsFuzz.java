package io.aiel.plane.registry.snapshot;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.JsonText;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** The exports that a worker reports: refused as such, or clean, storable and read again as the same. */
public final class ExportsFuzz {
    private ExportsFuzz() {}

    /** The text of an exports array. */
    public static void fuzzerTestOneInput(byte[] input) {
        List<JsonNode> exports;
        try {
            exports = Exports.read(new JsonText(new String(input, StandardCharsets.UTF_8)));
        } catch (Exports.InvalidExports refused) {
            return;
        }
        for (JsonNode export : exports) {
            String canonical = Manifest.canonical(export);
            // PostgreSQL's jsonb and text hold no NUL; a manifest goes there.
            if (!StandardCharsets.UTF_8.newEncoder().canEncode(canonical)) {
                throw new AssertionError("it cannot be written");
            }
            Capability capability = Exports.capability(export);
            if (!Exports.capability(export.toString()).equals(capability)) {
                throw new AssertionError("what is stored is not what was read");
            }
            if (!Manifest.canonical(
                            Exports.read(new JsonText("[" + export + "]")).getFirst())
                    .equals(canonical)) {
                throw new AssertionError("cleaning what is clean changes it");
            }
        }
    }
}
