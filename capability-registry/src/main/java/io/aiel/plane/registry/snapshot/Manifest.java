package io.aiel.plane.registry.snapshot;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.vocabulary.Digest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.SortedSet;
import java.util.TreeSet;
import org.erdtman.jcs.JsonCanonicalizer;

/**
 * The manifest of a snapshot in its canonical form (RFC 8785), and the digest over exactly these bytes. It holds what makes the
 * snapshot what it is, and not when or by whom it was sealed, so that the same content is the same snapshot. Immutable.
 */
record Manifest(String canonical, Digest digest) {
    static final String ENTRY_POINT = "entry_point.py";

    private static final ObjectMapper JSON = new ObjectMapper();

    /** The digest over the files alone. */
    static Digest tree(List<SnapshotFile> files) {
        return Digest.of(canonical(files(files)));
    }

    /** The manifest of a snapshot that was judged valid. */
    static Manifest valid(
            List<SnapshotFile> files,
            String snapshotId,
            String bundle,
            List<String> requirements,
            SnapshotValidator.Validation.Valid valid,
            List<JsonNode> exports) {
        ObjectNode manifest = common(files, snapshotId, bundle, requirements);
        manifest.put("valid", true);
        manifest.put("sdk_version", valid.sdkVersion());
        manifest.put("runtime_version", valid.runtimeVersion());
        manifest.putArray("exports").addAll(exports);
        ArrayNode integrations = manifest.putArray("integration_refs");
        providers(exports).forEach(integrations::add);
        return of(manifest);
    }

    /** The manifest of a snapshot that was rejected; what it would export is not known. */
    static Manifest rejected(List<SnapshotFile> files, String snapshotId, String bundle, List<String> requirements) {
        ObjectNode manifest = common(files, snapshotId, bundle, requirements);
        manifest.put("valid", false);
        return of(manifest);
    }

    private static ObjectNode common(
            List<SnapshotFile> files, String snapshotId, String bundle, List<String> requirements) {
        ObjectNode manifest = JsonNodeFactory.instance.objectNode();
        manifest.put("schema", "plane.snapshot/v1");
        manifest.set("files", files(files));
        manifest.put("entry_point", ENTRY_POINT);
        manifest.put("runtime", bundle);
        manifest.put("snapshot_id", snapshotId);
        ArrayNode lines = manifest.putArray("requirements");
        requirements.forEach(lines::add);
        return manifest;
    }

    private static ArrayNode files(List<SnapshotFile> files) {
        ArrayNode array = JsonNodeFactory.instance.arrayNode();
        for (SnapshotFile file : files) {
            array.addObject()
                    .put("path", file.path())
                    .put("digest", file.digest().value())
                    .put("size", file.sizeBytes());
        }
        return array;
    }

    /** The providers of the actions that capabilities declare: {@code postgres} of {@code postgres.query}. */
    private static SortedSet<String> providers(List<JsonNode> exports) {
        SortedSet<String> providers = new TreeSet<>();
        for (JsonNode export : exports) {
            for (JsonNode action : export.path("allowed_actions")) {
                String name = action.asText();
                int end = name.indexOf('.');
                providers.add(end < 0 ? name : name.substring(0, end));
            }
        }
        return providers;
    }

    private static Manifest of(JsonNode manifest) {
        String canonical = canonical(manifest);
        return new Manifest(canonical, Digest.of(canonical));
    }

    /** RFC 8785. */
    static String canonical(JsonNode json) {
        try {
            return canonicalText(JSON.writeValueAsString(json));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a JSON tree can be written", e);
        }
    }

    private static String canonicalText(String json) {
        try {
            // The library takes an object or an array at the top, which is all that comes here.
            return new JsonCanonicalizer(json).getEncodedString();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
