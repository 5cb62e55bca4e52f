import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jdk.jfr.consumer.RecordedClass;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordedFrame;
import jdk.jfr.consumer.RecordedStackTrace;
import jdk.jfr.consumer.RecordedThread;
import jdk.jfr.consumer.RecordingFile;

/**
 * Sums a flight recording by the part of the plane that it happened for. A sample belongs to the frame of ours that is nearest to
 * the top of its stack, so what a library does on our behalf counts as ours; stacks without a frame of ours belong to the library.
 */
public final class ProfileReport {
    private static final int TOP = 30;

    /** Prefixes of "class.method", the first that fits counts. */
    private static final Map<String, String> OURS = new LinkedHashMap<>();

    private static final Map<String, String> LIBRARIES = new LinkedHashMap<>();

    static {
        OURS.put("io.aiel.plane.gateway.identity.", "auth");
        OURS.put("io.aiel.plane.registry.input.", "input check");
        OURS.put("io.aiel.plane.registry.", "resolve");
        OURS.put("io.aiel.plane.policy.", "decide");
        OURS.put("io.aiel.plane.gateway.execution.ExecutionJournal.", "admit and close");
        OURS.put("io.aiel.plane.gateway.execution.PostgresExecutionStore.", "admit and close");
        OURS.put("io.aiel.plane.gateway.execution.JournalEntry", "admit and close");
        OURS.put("io.aiel.plane.gateway.execution.RecordedDecision", "admit and close");
        OURS.put("io.aiel.plane.gateway.execution.Envelopes", "envelope");
        OURS.put("io.aiel.plane.gateway.execution.RunnerRequest", "envelope");
        OURS.put("io.aiel.plane.gateway.execution.", "orchestration");
        OURS.put("io.aiel.plane.hydrator.", "worker");
        OURS.put("io.aiel.plane.audit.OutboxRelay", "relay");
        OURS.put("io.aiel.plane.audit.TopicReader", "sink");
        OURS.put("io.aiel.plane.audit.PgAuditLog", "sink");
        OURS.put("io.aiel.plane.audit.TelemetrySink", "sink");
        OURS.put("io.aiel.plane.audit.AuditCodec", "records");
        OURS.put("io.aiel.plane.audit.AuditChain", "records");
        OURS.put("io.aiel.plane.audit.", "audit, other");
        OURS.put("io.aiel.plane.gateway.http.", "http");
        OURS.put("io.aiel.plane.gateway.app.", "assembly");
        OURS.put("io.aiel.plane.vocabulary.", "vocabulary");
        LIBRARIES.put("org.apache.kafka.", "kafka client");
        LIBRARIES.put("io.vertx.pgclient.", "postgresql client");
        LIBRARIES.put("io.vertx.sqlclient.", "postgresql client");
        LIBRARIES.put("io.opentelemetry.", "telemetry");
        LIBRARIES.put("io.quarkus.opentelemetry.", "telemetry");
        LIBRARIES.put("io.micrometer.", "metrics");
        LIBRARIES.put("io.quarkus.micrometer.", "metrics");
        LIBRARIES.put("org.jboss.resteasy.", "http framework");
        LIBRARIES.put("io.quarkus.", "http framework");
        LIBRARIES.put("io.vertx.", "http framework");
        LIBRARIES.put("io.netty.", "http framework");
        LIBRARIES.put("org.hibernate.", "hibernate");
    }

    private final Map<String, Double> parts = new HashMap<>();
    private final Map<String, Double> methods = new HashMap<>();
    private final Map<String, Double> leaves = new HashMap<>();
    private final Map<String, Double> what = new HashMap<>();
    private double total;

    private ProfileReport() {}

    /** Prints JSON about a recording. */
    public static void main(String[] arguments) throws IOException {
        ProfileReport cpu = new ProfileReport();
        ProfileReport wall = new ProfileReport();
        ProfileReport allocation = new ProfileReport();
        Map<String, double[]> pauses = new HashMap<>();
        Set<Long> seen = new HashSet<>();
        try (RecordingFile file = new RecordingFile(Path.of(arguments[0]))) {
            while (file.hasMoreEvents()) {
                RecordedEvent event = file.readEvent();
                switch (event.getEventType().getName()) {
                    case "jdk.CPUTimeSample" -> {
                        if (event.getStackTrace() != null) {
                            cpu.add(event, event.getStackTrace(), 1, threadOf(event.getThread("eventThread")));
                        }
                    }
                    case "jdk.ExecutionSample" ->
                        wall.add(event, event.getStackTrace(), 1, threadOf(event.getThread("sampledThread")));
                    case "jdk.ObjectAllocationSample" -> {
                        // The first sample of a thread weighs all that it allocated before the recording.
                        RecordedThread thread = event.getThread("eventThread");
                        if (thread == null || seen.add(thread.getId())) {
                            continue;
                        }
                        RecordedClass type = event.getClass("objectClass");
                        allocation.add(event, event.getStackTrace(), event.getLong("weight"), type.getName());
                    }
                    case "jdk.GarbageCollection" -> {
                        double[] sum = pauses.computeIfAbsent(event.getString("name"), _ -> new double[3]);
                        double ms = event.getDuration("sumOfPauses").toNanos() / 1e6;
                        sum[0]++;
                        sum[1] += ms;
                        sum[2] = Math.max(sum[2], ms);
                    }
                    default -> {}
                }
            }
        }
        JsonObject collections = new JsonObject();
        pauses.forEach((name, sum) -> collections.put(
                name, new JsonObject().put("count", sum[0]).put("pause_ms", sum[1]).put("longest_ms", sum[2])));
        System.out.println(new JsonObject()
                .put("cpu", (cpu.total > 0 ? cpu : wall).json("threads"))
                .put("allocation", allocation.json("classes"))
                .put("collections", collections)
                .encode());
    }

    private static String threadOf(RecordedThread thread) {
        String name = thread == null ? null : thread.getJavaName();
        return name == null || name.isEmpty() ? "virtual or native" : name.replaceAll("[0-9]+", "N");
    }

    private void add(RecordedEvent event, RecordedStackTrace stack, double weight, String label) {
        if (stack == null) {
            return;
        }
        List<String> frames = new ArrayList<>();
        for (RecordedFrame frame : stack.getFrames()) {
            frames.add(frame.getMethod().getType().getName() + "." + frame.getMethod().getName());
        }
        if (frames.isEmpty()) {
            return;
        }
        String own = frames.stream().filter(f -> partOf(f, OURS) != null).findFirst().orElse(null);
        String part = own != null
                ? partOf(own, OURS)
                : frames.stream()
                        .map(f -> partOf(f, LIBRARIES))
                        .filter(p -> p != null)
                        .findFirst()
                        .orElse("other");
        total += weight;
        parts.merge(part, weight, Double::sum);
        leaves.merge(part + " | " + frames.get(0), weight, Double::sum);
        what.merge(label, weight, Double::sum);
        methods.merge(part + " | " + (own == null ? "(" + frames.get(Math.min(frames.size() - 1, 3)) + ")" : own), weight, Double::sum);
    }

    private static String partOf(String frame, Map<String, String> rules) {
        for (Map.Entry<String, String> rule : rules.entrySet()) {
            if (frame.startsWith(rule.getKey())) {
                return rule.getValue();
            }
        }
        return null;
    }

    private JsonObject json(String labels) {
        return new JsonObject()
                .put("total", total)
                .put("parts", shares(parts, 100))
                .put("methods", shares(methods, TOP))
                .put("leaves", shares(leaves, TOP))
                .put(labels, shares(what, TOP));
    }

    private JsonArray shares(Map<String, Double> values, int most) {
        JsonArray list = new JsonArray();
        values.entrySet().stream()
                .sorted(Map.Entry.<String, Double>comparingByValue().reversed())
                .limit(most)
                .forEach(e -> list.add(new JsonArray().add(e.getKey()).add(e.getValue() / total)));
        return list;
    }
}
