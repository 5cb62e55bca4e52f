package io.aiel.plane.registry.snapshot;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Findings as they are stored: a JSON array. Texts are cut, since they come out of a stranger's code. */
final class Findings {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int FINDINGS_MAX = 100;
    private static final int TEXT_MAX = 4_000;

    private Findings() {}

    static String write(List<SnapshotValidator.Finding> findings) {
        ArrayNode array = JsonNodeFactory.instance.arrayNode();
        for (SnapshotValidator.Finding finding : findings.subList(0, Math.min(findings.size(), FINDINGS_MAX))) {
            ObjectNode object = array.addObject();
            object.put("code", cut(finding.code()));
            object.put("message", cut(finding.message()));
            finding.file().ifPresent(file -> object.put("file", cut(file)));
            finding.line().ifPresent(line -> object.put("line", line));
        }
        return array.toString();
    }

    static List<SnapshotValidator.Finding> read(String json) {
        List<SnapshotValidator.Finding> findings = new ArrayList<>();
        try {
            for (JsonNode object : JSON.readTree(json)) {
                findings.add(new SnapshotValidator.Finding(
                        object.path("code").asText(),
                        object.path("message").asText(),
                        Optional.ofNullable(object.get("file")).map(JsonNode::asText),
                        Optional.ofNullable(object.get("line")).map(JsonNode::asInt)));
            }
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("stored findings are not JSON", e);
        }
        return findings;
    }

    /** PostgreSQL's texts cannot hold NUL. */
    private static String cut(String text) {
        String clean = text.replace("\u0000", "\\0");
        return clean.length() <= TEXT_MAX ? clean : clean.substring(0, TEXT_MAX) + "…";
    }
}
