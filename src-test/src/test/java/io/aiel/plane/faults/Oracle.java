package io.aiel.plane.faults;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.faults.Ledger.Call;
import io.aiel.plane.faults.Ledger.Change;
import io.aiel.plane.faults.Ledger.Heard;
import io.aiel.plane.fixtures.Backends;
import io.aiel.plane.fixtures.Command;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Waiting;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Compares what callers were told with what the database holds and with what was seen outside, and names each difference. It reads
 * the tables themselves, as the plane that is judged should not be the witness. Knows nothing of the faults that there were.
 *
 * <p>What it demands: each acknowledged answer has its one row, with that status, code, result and log, and was seen outside exactly once when it
 * succeeded and at most once otherwise; each row has a stream of records without gap or break that ends in exactly one terminal
 * record, which agrees with the row; whatever ran has a row; a request that was refused as not run was not seen outside; nothing is left
 * running or waiting; no alarm is open; and each change of the control plane is there with its record, or neither is.
 */
final class Oracle {
    private static final Path VERIFIER = Path.of("src/test/clients/verify_audit.py");
    private static final Set<String> DID_NOT_RUN = Set.of("NOT_READY", "AUDIT_BACKLOG", "UNAUTHENTICATED");
    private static final String REQUESTED = "io.aiel.plane.execution.requested.v1";
    private static final String FINISHED = "io.aiel.plane.execution.finished.v1";
    private static final String DENIED = "io.aiel.plane.execution.denied.v1";
    private static final int PROBLEMS_SHOWN = 40;

    /** Not a promise: the long forms leave more than a hundred thousand records, and the machine may do other things. */
    private static final Duration VERIFIED_WITHIN = Duration.ofMinutes(20);

    private final List<String> problems = new ArrayList<>();

    private Oracle() {}

    /**
     * What was found.
     *
     * @param problems empty when all is as promised
     * @param figures how much was looked at
     */
    record Verdict(List<String> problems, Map<String, Object> figures) {
        @Override
        public String toString() {
            return problems.size() + " problems in " + figures + "\n"
                    + problems.stream().limit(PROBLEMS_SHOWN).collect(Collectors.joining("\n"));
        }
    }

    private record Row(
            String id,
            String request,
            String status,
            int http,
            String code,
            String result,
            long sequence,
            String hash,
            boolean backwards) {}

    private record Entry(long sequence, String hash, String prev, String type, JsonNode event) {}

    /** Waits until nothing runs and all records are in the log. */
    static void awaitQuiet(Backends backends, Duration limit) {
        Waiting.until(
                limit,
                () -> left(backends),
                "0 running, 0 in the outbox, 0 not counted"::equals,
                "the end of all executions and the arrival of all records in the log");
    }

    private static String left(Backends backends) {
        try (Connection connection = backends.connect();
                Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("""
                        SELECT (SELECT count(*) FROM executions WHERE status = 'running'),
                               (SELECT count(*) FROM audit_outbox),
                               (SELECT count(*) FROM executions e WHERE e.status NOT IN ('running', 'denied')
                                    AND NOT EXISTS (SELECT 1 FROM usage_executions u WHERE u.execution = e.id))
                        """)) {
            row.next();
            return row.getLong(1) + " running, " + row.getLong(2) + " in the outbox, " + row.getLong(3)
                    + " not counted";
        } catch (SQLException e) {
            return e.toString();
        }
    }

    /**
     * Judges everything that the ledger holds, after {@link #awaitQuiet}.
     *
     * @param seen how often each call was seen outside; empty when there was no such witness
     */
    static Verdict judge(Ledger ledger, Optional<Map<String, Integer>> seen, Backends backends) {
        try (Connection connection = backends.connect()) {
            return judge(ledger, seen, connection);
        } catch (SQLException e) {
            throw new IllegalStateException("the oracle cannot read the database", e);
        }
    }

    /** The same as seen in this connection's transaction. */
    static Verdict judge(Ledger ledger, Optional<Map<String, Integer>> seen, Connection connection)
            throws SQLException {
        return new Oracle().compare(ledger, seen, connection);
    }

    private Verdict compare(Ledger ledger, Optional<Map<String, Integer>> seen, Connection connection)
            throws SQLException {
        Map<String, List<Row>> rows = new HashMap<>();
        Map<String, List<Entry>> streams = new TreeMap<>();
        Map<String, List<String>> logs = new HashMap<>();
        try (Statement statement = connection.createStatement()) {
            readRows(statement, rows);
            readStreams(statement, streams);
            readLogs(statement, logs);
            expectNone(statement, "executions left running", "SELECT id FROM executions WHERE status = 'running'");
            expectNone(statement, "records left in the outbox", "SELECT id FROM audit_outbox");
            expectNone(
                    statement,
                    "open alarms",
                    "SELECT kind || ' ' || stream FROM audit_alarms WHERE resolved_at IS NULL");
            expectNone(statement, "usage counted for what was not recorded, or not counted", """
                    SELECT coalesce(e.id, u.execution) FROM executions e FULL JOIN usage_executions u ON u.execution = e.id
                    WHERE e.id IS NULL OR (u.execution IS NULL AND e.status <> 'denied')
                    """);
            judgeChanges(statement, ledger.changes(), streams);
        }
        streams.forEach(this::judgeStream);
        rows.values().stream().flatMap(List::stream).forEach(row -> judgeRow(row, streams));
        Set<String> ids =
                rows.values().stream().flatMap(List::stream).map(Row::id).collect(Collectors.toSet());
        streams.keySet().stream()
                .filter(stream -> stream.startsWith("execution/"))
                .map(stream -> stream.substring("execution/".length()))
                .filter(id -> !ids.contains(id))
                .forEach(id -> problem("%s has records but no row", id));
        Map<String, String> lastOfCaller = new HashMap<>();
        for (Call call : ledger.calls()) {
            judgeCall(call, rows.getOrDefault(call.id(), List.of()), logs, seen);
            if (call.heard() instanceof Heard.Envelope envelope) {
                String before = lastOfCaller.put(call.caller(), envelope.execution());
                if (before != null && before.compareTo(envelope.execution()) >= 0) {
                    problem(
                            "reordered: %s is not after %s, although it was asked for later",
                            envelope.execution(), before);
                }
            }
        }
        seen.ifPresent(all -> all.keySet().stream()
                .filter(call -> !rows.containsKey(call))
                .forEach(call -> problem("%s was seen outside and has no row", call)));
        long records = verify(streams);
        Map<String, Object> figures = new TreeMap<>();
        figures.put("calls", ledger.calls().size());
        figures.put("acknowledged", ledger.acknowledged());
        figures.put("refused", count(ledger, Heard.Other.class));
        figures.put("unanswered", count(ledger, Heard.Silence.class));
        figures.put("changes", ledger.changes().size());
        figures.put("executions", rows.values().stream().mapToInt(List::size).sum());
        figures.put(
                "lost",
                rows.values().stream()
                        .flatMap(List::stream)
                        .filter(row -> row.status().equals("lost"))
                        .count());
        figures.put("records", records);
        figures.put("problems", problems.size());
        return new Verdict(List.copyOf(problems), figures);
    }

    private static long count(Ledger ledger, Class<? extends Heard> sort) {
        return ledger.calls().stream()
                .filter(call -> sort.isInstance(call.heard()))
                .count();
    }

    private static void readRows(Statement statement, Map<String, List<Row>> rows) throws SQLException {
        try (ResultSet found = statement.executeQuery("""
                SELECT id, request_id, status, coalesce(http_status, 0), coalesce(error_code, ''), coalesce(result_digest, ''),
                       audit_sequence, audit_hash, coalesce(finished_at < requested_at, false) FROM executions
                """)) {
            while (found.next()) {
                rows.computeIfAbsent(found.getString(2), _ -> new ArrayList<>())
                        .add(new Row(
                                found.getString(1),
                                found.getString(2),
                                found.getString(3),
                                found.getInt(4),
                                found.getString(5),
                                found.getString(6),
                                found.getLong(7),
                                found.getString(8),
                                found.getBoolean(9)));
            }
        }
    }

    private static void readStreams(Statement statement, Map<String, List<Entry>> streams) throws SQLException {
        try (ResultSet found = statement.executeQuery(
                "SELECT stream, sequence, hash, prev, type, canonical FROM audit_events ORDER BY stream, sequence")) {
            while (found.next()) {
                streams.computeIfAbsent(found.getString(1), _ -> new ArrayList<>())
                        .add(new Entry(
                                found.getLong(2),
                                found.getString(3),
                                found.getString(4),
                                found.getString(5),
                                PlaneClient.read(found.getString(6))));
            }
        }
    }

    private static void readLogs(Statement statement, Map<String, List<String>> logs) throws SQLException {
        try (ResultSet found =
                statement.executeQuery("SELECT execution, entry FROM execution_logs ORDER BY execution, line")) {
            while (found.next()) {
                logs.computeIfAbsent(found.getString(1), _ -> new ArrayList<>()).add(found.getString(2));
            }
        }
    }

    private void expectNone(Statement statement, String what, String sql) throws SQLException {
        List<String> found = new ArrayList<>();
        try (ResultSet rows = statement.executeQuery(sql)) {
            while (rows.next()) {
                found.add(rows.getString(1));
            }
        }
        if (!found.isEmpty()) {
            problem("%d %s: %s", found.size(), what, found.stream().limit(5).toList());
        }
    }

    private void judgeChanges(Statement statement, List<Change> changes, Map<String, List<Entry>> streams)
            throws SQLException {
        Map<String, String> projects = new HashMap<>();
        try (ResultSet found = statement.executeQuery("SELECT slug, id FROM projects")) {
            while (found.next()) {
                projects.put(found.getString(1), found.getString(2));
            }
        }
        Map<String, Long> records = streams.values().stream()
                .flatMap(List::stream)
                .filter(entry -> entry.event().at("/data/what").asText().equals("project.created"))
                .collect(Collectors.groupingBy(
                        entry -> entry.event().at("/data/subject_id").asText(), Collectors.counting()));
        for (Change change : changes) {
            String kept = projects.getOrDefault(change.slug(), "");
            if (!change.id().isEmpty() && !change.id().equals(kept)) {
                problem("the change %s was acknowledged as %s and is kept as '%s'", change.slug(), change.id(), kept);
            }
            long recorded = records.getOrDefault(kept, 0L);
            if (recorded != (kept.isEmpty() ? 0 : 1)) {
                problem("the change %s is kept as '%s' and has %d records", change.slug(), kept, recorded);
            }
        }
    }

    private void judgeStream(String stream, List<Entry> entries) {
        String before = "sha256:" + "0".repeat(64);
        String time = "";
        for (int i = 0; i < entries.size(); i++) {
            Entry entry = entries.get(i);
            if (entry.sequence() != i + 1 || !entry.prev().equals(before)) {
                problem("%s is broken at %d: sequence %d, prev %s", stream, i + 1, entry.sequence(), entry.prev());
                return;
            }
            if (entry.event().path("time").asText().compareTo(time) < 0) {
                problem("%s goes back in time at %d", stream, i + 1);
            }
            time = entry.event().path("time").asText();
            before = entry.hash();
        }
    }

    private void judgeRow(Row row, Map<String, List<Entry>> streams) {
        List<Entry> records = streams.getOrDefault("execution/" + row.id(), List.of());
        List<Entry> terminal = records.stream()
                .filter(entry -> entry.type().equals(FINISHED) || entry.type().equals(DENIED))
                .toList();
        if (records.isEmpty() || !records.getFirst().type().equals(REQUESTED)) {
            problem("%s (%s) has no record of its request", row.id(), row.request());
        } else if (terminal.size() != 1
                || !records.getLast().hash().equals(terminal.getFirst().hash())) {
            problem("%s (%s, %s) has %d terminal records", row.id(), row.request(), row.status(), terminal.size());
        } else {
            Entry last = terminal.getFirst();
            if (last.type().equals(FINISHED)
                    && !last.event().at("/data/status").asText().equals(row.status())) {
                problem(
                        "%s is %s, and its record says %s",
                        row.id(), row.status(), last.event().path("data"));
            }
            if (last.sequence() != row.sequence() || !last.hash().equals(row.hash())) {
                problem("%s stands at another record than its stream", row.id());
            }
        }
        if (row.backwards()) {
            problem("%s ended before it was asked for", row.id());
        }
    }

    private void judgeCall(
            Call call, List<Row> rows, Map<String, List<String>> logs, Optional<Map<String, Integer>> seen) {
        int times = seen.map(all -> all.getOrDefault(call.id(), 0)).orElse(0);
        if (rows.size() > 1) {
            problem("%s has %d executions", call.id(), rows.size());
        }
        if (times > 1) {
            problem("%s ran %d times", call.id(), times);
        }
        switch (call.heard()) {
            case Heard.Envelope envelope -> judgeAcknowledged(call, envelope, rows, logs, seen.isPresent(), times);
            case Heard.Other other -> {
                if (times > 0 && saysThatNothingRan(other)) {
                    problem("%s ran, and its caller heard %s", call.id(), other);
                }
                if (!rows.isEmpty() && rows.getFirst().status().equals("succeeded") && saysThatNothingRan(other)) {
                    problem("%s succeeded, and its caller heard %s", call.id(), other);
                }
                if (other.status() == 500) {
                    problem("%s was answered with a fault: %s", call.id(), other);
                }
            }
            case Heard.Silence _ -> {}
        }
    }

    private static boolean saysThatNothingRan(Heard.Other other) {
        return DID_NOT_RUN.contains(other.code()) || other.text().contains("did not run");
    }

    private void judgeAcknowledged(
            Call call,
            Heard.Envelope envelope,
            List<Row> rows,
            Map<String, List<String>> logs,
            boolean witnessed,
            int times) {
        if (rows.isEmpty() || !rows.getFirst().id().equals(envelope.execution())) {
            problem("%s was acknowledged as %s and is kept as %s", call.id(), envelope.execution(), rows);
            return;
        }
        Row row = rows.getFirst();
        JsonNode told = envelope.document();
        if (envelope.ok() != row.status().equals("succeeded")
                || told.path("http_status").asInt() != row.http()
                || !told.path("error").path("code").asText("").equals(row.code())) {
            problem("%s was told %s and the row is %s", call.id(), told, row);
        }
        if (!envelope.ok()) {
            return;
        }
        String digest =
                "sha256:" + Project.sha256(PlaneClient.text(told.path("result")).getBytes(StandardCharsets.UTF_8));
        if (!digest.equals(row.result())) {
            problem("%s was told another result than %s", call.id(), row);
        }
        if (!told.at("/result/call").asText().equals(call.id())) {
            problem("%s was given the answer of another call: %s", call.id(), told.path("result"));
        }
        long lines = logs.getOrDefault(row.id(), List.of()).stream()
                .filter(line -> line.contains("\"" + call.id() + "\""))
                .count();
        if (lines != 1) {
            problem("%s succeeded and has %d lines of log", call.id(), lines);
        }
        if (witnessed && times != 1) {
            problem("%s succeeded and was seen outside %d times", call.id(), times);
        }
    }

    /** The whole log once more, by a program that shares no code with the plane. */
    private long verify(Map<String, List<Entry>> streams) {
        List<Map<String, Object>> events = streams.values().stream()
                .flatMap(List::stream)
                .map(entry -> Map.<String, Object>of("event", entry.event(), "hash", entry.hash()))
                .toList();
        String python = Optional.ofNullable(System.getenv("PLANE_PYTHON")).orElse("python3");
        Command.Result verified = Command.of(
                        python, "-B", VERIFIER.toAbsolutePath().toString())
                .withInput(PlaneClient.text(Map.of("events", events)))
                .within(VERIFIED_WITHIN)
                .run();
        if (verified.timedOut() || verified.exit() != 0) {
            problem(
                    "the independent verifier: %s",
                    verified.err().lines().limit(5).toList());
        }
        return events.size();
    }

    @SuppressWarnings("AnnotateFormatMethod") // the annotation would be a dependency for this one place
    private void problem(String text, Object... facts) {
        problems.add(text.formatted(facts));
    }
}
