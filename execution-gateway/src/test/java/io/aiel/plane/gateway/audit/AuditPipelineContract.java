package io.aiel.plane.gateway.audit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.AuditQuery;
import io.aiel.plane.audit.AuditRecord;
import io.aiel.plane.audit.AuditSink;
import io.aiel.plane.audit.AuditTrail;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.audit.OutboxRelay;
import io.aiel.plane.audit.PgOutbox;
import io.aiel.plane.audit.StreamPosition;
import io.aiel.plane.audit.UsageSummary;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.PrincipalId;
import io.aiel.plane.vocabulary.TenantId;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Row;
import io.vertx.mutiny.sqlclient.SqlConnection;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What must hold on any PostgreSQL and any Kafka. */
abstract class AuditPipelineContract {
    private static int schemas;

    private AuditServers servers = unset();
    private PgOutbox outbox = unset();
    private final Executions executions = new Executions(Clock.systemUTC());

    /** Servers for one test, with a schema and topics of this name. */
    abstract AuditServers servers(String name);

    @BeforeEach
    void open() {
        servers = servers("audit_contract_" + ++schemas);
        outbox = servers.outbox();
    }

    @AfterEach
    void close() {
        servers.close();
    }

    /** Seen failing with the {@code DELETE} of covered rows taken out, and with {@code ON CONFLICT} taken out. */
    @Test
    void bringsEveryRecordIntoTheLogOnceAndThenEmptiesTheOutbox() {
        List<AuditRecord> written = write(100);

        servers.relay(outbox);
        AuditSink sink = servers.sink(outbox);

        AuditServers.until("the outbox is empty", () -> servers.count("SELECT count(*) FROM audit_outbox") == 0);
        assertLogHolds(written);
        AuditServers.until("the sink counted", () -> sink.status().stored() == written.size());
        assertThat(servers.count("SELECT count(*) FROM audit_alarms")).isZero();
        AuditServers.until("the counter knows", () -> outbox.fill() == 0);
    }

    /**
     * What is stored and not yet acknowledged to Kafka comes again: here all of it, by setting the group's offsets back, which is
     * the state that a kill between the two leaves. Seen failing with {@code ON CONFLICT} taken out.
     */
    @Test
    void storesOnceWhenTheSinkDiesBeforeItsOffsetsAreKept() throws Exception {
        List<AuditRecord> written = write(50);
        servers.relay(outbox);
        AuditSink first = servers.sink(outbox);
        AuditServers.until("the outbox is empty", () -> servers.count("SELECT count(*) FROM audit_outbox") == 0);
        first.close();
        rewindGroup();

        AuditSink second = servers.sink(outbox);
        AuditServers.until("the group has read all again", this::groupIsAtTheEnd);

        assertThat(second.status().stored()).isZero();
        assertThat(servers.count("SELECT count(*) FROM audit_alarms")).isZero();
        assertLogHolds(written);
    }

    @Test
    void storesOnceWhatIsDeliveredTwice() throws Exception {
        List<AuditRecord> written = write(20);
        List<AuditRecord> twice = new ArrayList<>(written);
        twice.addAll(written);
        servers.relay(outbox);
        AuditServers.until("topics exist", () -> unpublished() == 0);
        send(twice.stream().map(AuditRecord::canonical).toList());

        AuditSink sink = servers.sink(outbox);

        AuditServers.until("the group has read all", this::groupIsAtTheEnd);
        assertThat(sink.status().stored()).isEqualTo(written.size());
        assertThat(servers.count("SELECT count(*) FROM audit_alarms")).isZero();
        assertLogHolds(written);
    }

    /** Seen failing when rows are deleted before the insert, in a transaction of their own. */
    @Test
    void keepsEveryRecordInOutboxOrLogAtEveryMoment() {
        List<AuditRecord> written = write(200);
        String inEither = """
                SELECT count(*) FROM (SELECT stream, sequence FROM audit_outbox
                                      UNION SELECT stream, sequence FROM audit_events) AS kept
                """;

        servers.relay(outbox);
        servers.sink(outbox);

        AuditServers.until("the outbox is empty", () -> {
            assertThat(servers.count(inEither)).isEqualTo(written.size());
            return servers.count("SELECT count(*) FROM audit_outbox") == 0;
        });
        assertThat(servers.count(inEither)).isEqualTo(written.size());
    }

    @Test
    void publishesWithoutASinkButDeletesNothing() {
        List<AuditRecord> written = write(5);

        OutboxRelay relay = servers.relay(outbox);

        AuditServers.until("all are published", () -> relay.status().published() == written.size());
        AuditServers.until("all are marked", () -> unpublished() == 0);
        assertThat(servers.count("SELECT count(*) FROM audit_outbox")).isEqualTo(written.size());
    }

    /** Seen failing with the comparison of hashes taken out. */
    @Test
    void raisesAnAlarmForAnotherRecordInATakenPlaceAndKeepsTheFirst() throws Exception {
        List<AuditRecord> written = write(1);
        AuditRecord last = written.getLast();
        servers.relay(outbox);
        AuditSink sink = servers.sink(outbox);
        AuditServers.until("the outbox is empty", () -> servers.count("SELECT count(*) FROM audit_outbox") == 0);

        send(List.of(last.canonical().replace("\"status\":\"succeeded\"", "\"status\":\"failed\"")));

        AuditServers.until("an alarm is open", () -> sink.status().openAlarms() == 1);
        Row alarm = servers.rows("SELECT kind, stream, sequence, stored_hash, found_hash FROM audit_alarms")
                .getFirst();
        assertThat(alarm.getString(0)).isEqualTo("conflict");
        assertThat(alarm.getString(1)).isEqualTo(last.stream());
        assertThat(alarm.getLong(2)).isEqualTo(last.sequence());
        assertThat(alarm.getString(3)).isEqualTo(last.hash().value());
        assertThat(alarm.getString(4)).isNotEqualTo(last.hash().value());
        assertLogHolds(written);
    }

    /**
     * A forged record that came first must not make the real one disappear. Seen failing when rows are deleted whatever hash the
     * log holds.
     */
    @Test
    void keepsTheOutboxRowWhenTheLogHoldsAnotherRecordInItsPlace() throws Exception {
        List<AuditRecord> written = write(1);
        OutboxRelay relay = servers.relay(outbox);
        AuditServers.until("all are marked", () -> unpublished() == 0);
        relay.close();
        servers.execute("DELETE FROM audit_outbox WHERE sequence < 4");
        AuditRecord last = written.getLast();
        servers.execute(
                "INSERT INTO audit_events (stream, sequence, id, tenant, type, time, hash, prev, canonical) VALUES ('"
                        + last.stream() + "', " + last.sequence() + ", '" + last.id() + "', '" + last.tenant() + "', '"
                        + last.type()
                        + "', now(), 'sha256:" + "f".repeat(64) + "', 'sha256:" + "0".repeat(64) + "', '{}')");

        AuditSink sink = servers.sink(outbox);

        AuditServers.until("the group has read all", this::groupIsAtTheEnd);
        assertThat(sink.status().openAlarms()).isPositive();
        assertThat(servers.count("SELECT count(*) FROM audit_outbox")).isEqualTo(1);
    }

    @Test
    void raisesAnAlarmForAGapThatResolvesItselfWhenTheMissingRecordComes() throws Exception {
        List<AuditRecord> records = executions.succeeded();
        makeTopics();
        AuditSink sink = servers.sink(outbox);

        send(List.of(records.get(0).canonical(), records.get(2).canonical()));
        AuditServers.until("an alarm is open", () -> sink.status().openAlarms() == 1);
        assertThat(servers.rows("SELECT kind, sequence FROM audit_alarms"))
                .singleElement()
                .satisfies(alarm ->
                        assertThat(alarm.getString(0) + " " + alarm.getLong(1)).isEqualTo("gap 3"));

        send(List.of(records.get(1).canonical()));
        AuditServers.until("no alarm is open", () -> sink.status().openAlarms() == 0);
        assertThat(servers.count("SELECT count(*) FROM audit_events")).isEqualTo(3);
    }

    /** Seen failing with the check of {@code prev} taken out. */
    @Test
    void raisesAnAlarmForARecordThatDoesNotContinueFromTheOneBefore() throws Exception {
        List<AuditRecord> records = executions.succeeded();
        AuditRecord forged = executions.codec.encode(
                executions.context(PrincipalId.create()),
                new AuditEvent.ExecutionAdmitted(
                        ExecutionId.parse(records.getFirst().stream().substring(10))),
                new StreamPosition(records.getFirst().stream(), 1, Optional.empty()));
        makeTopics();
        AuditSink sink = servers.sink(outbox);

        send(List.of(records.getFirst().canonical(), forged.canonical()));

        AuditServers.until("an alarm is open", () -> sink.status().openAlarms() == 1);
        assertThat(servers.rows("SELECT kind FROM audit_alarms").getFirst().getString(0))
                .isEqualTo("broken_chain");
    }

    /** Seen failing, as it was retried without end, with the capability's bytes not counted and the halving of batches taken out. */
    @Test
    void goesOnAfterMessagesThatAreNoRecords() throws Exception {
        List<AuditRecord> records = executions.succeeded();
        String capability = new java.util.Random(7)
                .ints(1_000, 0x4e00, 0x9fa5)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
        makeTopics();
        AuditSink sink = servers.sink(outbox);

        send(List.of(
                "",
                "not json",
                "{}",
                records.getFirst().canonical().replace("greet", "gr\u001b[2Jeet"),
                records.getFirst().canonical().replace("\"tenant\":\"ten_", "\"tenant\":\"ten_\\u0000"),
                records.getFirst().canonical().replace("tool:greet", capability), // more than an index entry holds
                records.getFirst().canonical().replace("execution/exec_", "another/exec_"),
                records.getFirst().canonical().replace("execution/exec_", "a".repeat(900_000)),
                records.getFirst().canonical().replace("000000000000001", "999999999999999999"),
                records.getFirst().canonical()));

        AuditServers.until("the good one is stored", () -> sink.status().stored() == 1);
        AuditServers.until("nine alarms are open", () -> sink.status().openAlarms() == 9);
        assertThat(sink.status().setAside()).isEqualTo(9);
        assertThat(servers.count("SELECT count(*) FROM audit_alarms WHERE kind = 'unreadable'"))
                .isEqualTo(9);
        assertThat(sink.status().trouble()).isEmpty();
    }

    /**
     * What PostgreSQL refuses here stands for what nobody thought of. A record of ours among it is not lost: its row stays in the
     * outbox, the gap is shown, and it is taken when it comes again. Seen failing with the halving taken out: nothing is stored then.
     */
    @Test
    void setsAsideWhatTheDatabaseRefusesAndLosesNoRecordByThat() {
        servers.execute("ALTER TABLE audit_events ADD CONSTRAINT refused CHECK (sequence <> 2)");
        List<AuditRecord> written = write(20);
        servers.relay(outbox, Duration.ofSeconds(1));
        AuditSink sink = servers.sink(outbox);

        AuditServers.until("the others are stored", () -> sink.status().stored() == 60);
        AuditServers.until("gaps are open", () -> servers.count(openAlarms("gap")) == 20);
        AuditServers.until("the refused are told", () -> servers.count(openAlarms("unreadable")) >= 20);
        assertThat(servers.count("SELECT count(*) FROM audit_outbox")).isEqualTo(20);
        assertThat(servers.rows("SELECT DISTINCT detail FROM audit_alarms WHERE kind = 'unreadable'"))
                .singleElement()
                .satisfies(row -> assertThat(row.getString(0)).isEqualTo("PostgreSQL refuses it with SQLSTATE 23514"));

        servers.execute("ALTER TABLE audit_events DROP CONSTRAINT refused");

        AuditServers.until("the outbox is empty", () -> servers.count("SELECT count(*) FROM audit_outbox") == 0);
        assertLogHolds(written);
        AuditServers.until("no gap is open", () -> servers.count(openAlarms("gap")) == 0);
    }

    /** Seen failing with the condition on their number taken out. */
    @Test
    void keepsNoMoreThanABoundedNumberOfAlarmsForMessagesThatAreNoRecords() throws Exception {
        makeTopics();
        servers.execute("INSERT INTO audit_alarms (kind, stream, sequence, stored_hash, found_hash, detail)"
                + " SELECT 'unreadable', 'topic/0', n, '', '', '' FROM generate_series(1, 10000) AS n");
        AuditSink sink = servers.sink(outbox);

        send(List.of("not json"));
        AuditServers.until("it is counted", () -> sink.status().setAside() == 1);
        assertThat(servers.count(openAlarms("unreadable"))).isEqualTo(10_000);

        servers.execute("UPDATE audit_alarms SET resolved_at = now()");
        send(List.of("not json either"));
        AuditServers.until("it is kept", () -> servers.count(openAlarms("unreadable")) == 1);
    }

    /**
     * What a database administrator drops from the log alone. Seen failing with the comparison of hashes, with that of executions and with that
     * of control streams taken out, one at a time.
     */
    @Test
    void raisesAnAlarmForAStreamWhoseEndIsDroppedFromTheLog() {
        ControlAudit audit = new ControlAudit(executions.codec, outbox);
        servers.pool
                .withTransaction(transaction -> audit.record(
                        transaction,
                        executions.context(PrincipalId.create()),
                        new AuditEvent.ControlChanged("project.created", "p", Map.of())))
                .await()
                .atMost(AuditServers.LIMIT);
        List<String> streams = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            List<AuditRecord> records = executions.succeeded();
            append(records);
            admit(records.getLast());
            streams.add(records.getLast().stream());
        }
        intoLog();
        String control = "control/" + executions.tenant;
        AuditServers.until("the outbox is empty", () -> servers.count("SELECT count(*) FROM audit_outbox") == 0);
        servers.execute("DELETE FROM audit_events WHERE stream = '" + streams.get(0) + "' AND sequence = 4");
        servers.execute("DELETE FROM audit_events WHERE stream IN ('" + streams.get(1) + "', '" + control + "')");
        servers.execute("UPDATE audit_events SET hash = 'x' WHERE stream = '" + streams.get(2) + "' AND sequence = 4");

        AuditSink sink = servers.sink(outbox);

        AuditServers.until("four alarms are open", () -> sink.status().openAlarms() == 4);
        assertThat(
                        servers
                                .rows("SELECT stream, sequence, stored_hash FROM audit_alarms WHERE kind = 'missing'")
                                .stream()
                                .map(row -> row.getString(0) + " " + row.getLong(1) + " " + row.getString(2)))
                .containsExactlyInAnyOrder(
                        streams.get(0) + " 4 ", streams.get(1) + " 4 ", streams.get(2) + " 4 x", control + " 1 ");
    }

    /** Each end is in the outbox or in the log, and one look sees both. Seen failing with the outbox not looked at. */
    @Test
    void raisesNoneForAStreamWhoseEndIsOnItsWayIntoTheLog() {
        for (int i = 0; i < 20; i++) {
            List<AuditRecord> records = executions.succeeded();
            append(records);
            admit(records.getLast());
        }
        AuditRecord nowhere = executions.succeeded().getLast();
        admit(nowhere);

        AuditSink sink = servers.sink(outbox);

        AuditServers.until("it has looked", () -> sink.status().openAlarms() > 0);
        assertThat(servers.rows("SELECT stream FROM audit_alarms"))
                .singleElement()
                .satisfies(alarm -> assertThat(alarm.getString(0)).isEqualTo(nowhere.stream()));
    }

    /** A look takes in a thousand. Seen failing when each begins at the first stream again. */
    @Test
    void looksAtTheEndsOfAllStreamsInTurn() {
        admit(executions.succeeded().getLast());
        servers.execute("""
                INSERT INTO executions (id, tenant, workspace, project, snapshot_digest, snapshot_id, bundle, action, principal, request_id,
                                        traceparent, timeout_ms, status, decision_id, policy_digest, incarnation, requested_at, finished_at,
                                        audit_sequence, audit_hash)
                SELECT 'exec_' || n, tenant, workspace, project, snapshot_digest, snapshot_id, bundle, action, principal, request_id,
                       traceparent, timeout_ms, status, decision_id, policy_digest, incarnation, requested_at, finished_at,
                       audit_sequence, audit_hash
                FROM executions, generate_series(1, 1000) AS n
                """);

        AuditSink sink = servers.sink(outbox);

        AuditServers.until("all are found", () -> sink.status().openAlarms() == 1_001);
    }

    /** The row of an execution, as far as it is about where its stream stands. */
    private void admit(AuditRecord last) {
        servers.execute("""
                INSERT INTO executions (id, tenant, workspace, project, snapshot_digest, snapshot_id, bundle, action, principal, request_id,
                                        traceparent, timeout_ms, status, decision_id, policy_digest, incarnation, requested_at, finished_at,
                                        audit_sequence, audit_hash)
                VALUES ('%s', '%s', 'w', 'p', 'd', 's', 'b', 'a', 'p', 'r', 't', 1, 'succeeded', 'd', 'p', 'i', now(), now(), %d, '%s')
                """.formatted(
                        last.stream().substring("execution/".length()), last.tenant(), last.sequence(), last.hash()));
    }

    private static String openAlarms(String kind) {
        return "SELECT count(*) FROM audit_alarms WHERE resolved_at IS NULL AND kind = '" + kind + "'";
    }

    @Test
    void forgetsInPartsWhichExecutionsOfOldDaysWereCounted() {
        servers.execute("INSERT INTO usage_executions (execution, day)"
                + " SELECT 'exec_' || n, current_date - 40 FROM generate_series(1, 15000) AS n");
        servers.relay(outbox);
        var telemetry = servers.telemetrySink(_ -> {});
        String old = "SELECT count(*) FROM usage_executions WHERE day < current_date - 30";

        write(1);
        AuditServers.until("some are forgotten", () -> servers.count(old) == 5_000);
        write(1);
        AuditServers.until("all are forgotten", () -> servers.count(old) == 0);

        assertThat(telemetry.status().trouble()).isEmpty();
        AuditServers.until("the new are counted", () -> telemetry.status().counted() == 2);
        assertThat(servers.count("SELECT count(*) FROM usage_executions")).isEqualTo(2);
    }

    /** The constraint stands for what nobody thought of, such as a sum that a column does not hold. Seen failing with the halving taken out. */
    @Test
    void passesOverUsageThatTheDatabaseRefuses() throws Exception {
        List<AuditRecord> written = write(2);
        servers.execute("ALTER TABLE usage_executions ADD CONSTRAINT refused CHECK (execution <> '"
                + written.getFirst().stream().substring("execution/".length()) + "')");
        servers.relay(outbox);

        var telemetry = servers.telemetrySink(_ -> {});

        AuditServers.until("the other is counted", () -> telemetry.status().counted() == 1);
        AuditServers.until("the refused is told", () -> telemetry.status().unreadable() == 1);
    }

    /** Seen failing with the search for overdue rows taken out. */
    @Test
    void publishesAgainWhatKafkaTookAndLost() {
        List<AuditRecord> written = write(3);
        servers.execute("UPDATE audit_outbox SET published_at = now() - interval '1 hour'");

        servers.relay(outbox, Duration.ofSeconds(1));
        servers.sink(outbox);

        AuditServers.until("the outbox is empty", () -> servers.count("SELECT count(*) FROM audit_outbox") == 0);
        assertLogHolds(written);
    }

    @Test
    void letsOneRelayBeActiveAndAnotherTakeOver() {
        OutboxRelay first = servers.relay(outbox);
        AuditServers.until("the first is active", () -> first.status().active());
        OutboxRelay second = servers.relay(outbox);
        write(3);
        AuditServers.until("the first publishes", () -> first.status().published() == 12);
        assertThat(second.status().active()).isFalse();

        first.close();

        AuditServers.until("the second is active", () -> second.status().active());
        write(2);
        AuditServers.until("the second publishes", () -> second.status().published() == 8);
    }

    /** Seen failing with the late connections not given back: the relay had one, and its tries in vain kept the others. */
    @Test
    void keepsNoConnectionThatItWaitedForInVain() {
        List<SqlConnection> held = connections(AuditServers.CONNECTIONS);
        OutboxRelay relay = servers.impatientRelay(outbox);
        AuditServers.until(
                "it gives up", () -> relay.status().trouble().orElse("").contains("Timeout"));
        LockSupport.parkNanos(Duration.ofSeconds(1).toNanos()); // more tries, half a second apart at most
        held.forEach(connection -> connection.close().await().atMost(AuditServers.LIMIT));

        AuditServers.until("it is active", () -> relay.status().active());

        connections(AuditServers.CONNECTIONS - 1)
                .forEach(connection -> connection.close().await().atMost(AuditServers.LIMIT));
    }

    private List<SqlConnection> connections(int howMany) {
        List<SqlConnection> connections = new ArrayList<>();
        for (int i = 0; i < howMany; i++) {
            connections.add(servers.pool.getConnection().await().atMost(AuditServers.LIMIT));
        }
        return connections;
    }

    @Test
    void goesOnWhenTheDatabaseEndsItsSessions() {
        OutboxRelay relay = servers.relay(outbox);
        servers.sink(outbox);
        AuditServers.until("the relay is active", () -> relay.status().active());
        servers.execute("SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)"
                + " WHERE locktype = 'advisory' AND application_name = current_setting('application_name')");

        List<AuditRecord> written = write(10);

        AuditServers.until("the outbox is empty", () -> servers.count("SELECT count(*) FROM audit_outbox") == 0);
        assertLogHolds(written);
    }

    /** Seen failing when the stream's head is read without locking its row. */
    @Test
    void numbersTheControlStreamWithoutGapsWhenManyWriteAtOnce() {
        ControlAudit audit = new ControlAudit(executions.codec, outbox);
        List<Uni<Void>> changes = IntStream.range(0, 40)
                .mapToObj(i -> servers.pool.withTransaction(transaction -> audit.record(
                        transaction,
                        executions.context(PrincipalId.create()),
                        new AuditEvent.ControlChanged("project.created", "p" + i, Map.of()))))
                .toList();

        Uni.join().all(changes).andFailFast().await().atMost(AuditServers.LIMIT);

        servers.relay(outbox);
        servers.sink(outbox);
        AuditServers.until("the outbox is empty", () -> servers.count("SELECT count(*) FROM audit_outbox") == 0);
        assertThat(servers.count("SELECT max(sequence) FROM audit_events")).isEqualTo(40);
        assertThat(servers.count("SELECT count(*) FROM audit_events")).isEqualTo(40);
        assertThat(servers.count("SELECT count(*) FROM audit_alarms")).isZero();
    }

    @Test
    void recordsNothingOfAControlChangeThatIsRolledBack() {
        ControlAudit audit = new ControlAudit(executions.codec, outbox);
        var context = executions.context(PrincipalId.create());
        Uni<Void> change = servers.pool.withTransaction(
                transaction -> audit.record(transaction, context, new AuditEvent.ControlChanged("a.b", "x", Map.of()))
                        .chain(() -> Uni.createFrom().failure(new IllegalStateException("rolled back"))));

        assertThatThrownBy(() -> change.await().atMost(AuditServers.LIMIT)).hasMessageContaining("rolled back");
        assertThat(servers.count("SELECT count(*) FROM audit_outbox")).isZero();

        servers.pool
                .withTransaction(transaction ->
                        audit.record(transaction, context, new AuditEvent.ControlChanged("a.b", "y", Map.of())))
                .await()
                .atMost(AuditServers.LIMIT);
        assertThat(servers.count("SELECT max(sequence) FROM audit_outbox")).isEqualTo(1);
    }

    @Test
    void refusesTwoWritersOfOneStream() {
        List<AuditRecord> records = executions.succeeded();
        append(records);

        assertThatThrownBy(() -> append(records)).hasMessageContaining("audit_outbox_stream_sequence_key");
    }

    @Test
    void saysHowFullTheOutboxIs() {
        assertThat(outbox.fill()).isZero();

        write(500);
        AuditServers.until("it says a fifth", () -> outbox.fill() >= 0.2 && outbox.fill() < 0.3);

        servers.execute("DELETE FROM audit_outbox");
        AuditServers.until("it was counted again", () -> outbox.fill() == 0);
        PgOutbox uncounted = new PgOutbox(
                servers.pool,
                new io.aiel.plane.audit.OutboxBudget(10, 10),
                Duration.ofMinutes(1),
                Duration.ofSeconds(1));
        assertThat(uncounted.fill()).isEqualTo(1);
    }

    @Test
    void addsUsageUpOnceForEachExecution() throws Exception {
        Map<String, UsageSummary> seen = new ConcurrentHashMap<>();
        write(30);
        servers.relay(outbox);
        AuditServers.until("all are published", () -> unpublished() == 0);
        servers.execute("UPDATE audit_outbox SET published_at = NULL"); // all come once more
        AuditServers.until("all are published again", () -> unpublished() == 0);

        var sink = servers.telemetrySink(summary -> seen.put(summary.execution(), summary));

        AuditServers.until("all are counted", () -> sink.status().counted() == 30);
        AuditServers.until("the group has read all", () -> groupIsAtTheEnd(servers.telemetryTopic + "-group"));
        Row day = servers.rows("SELECT executions, cpu_ms, wall_ms, max_rss_bytes, status FROM usage_daily")
                .getFirst();
        assertThat(day.getLong(0)).isEqualTo(30);
        assertThat(day.getLong(1)).isEqualTo(90);
        assertThat(day.getLong(2)).isEqualTo(150);
        assertThat(day.getLong(3)).isEqualTo(7_000_000);
        assertThat(day.getString(4)).isEqualTo("succeeded");
        assertThat(seen).hasSize(30);
    }

    /**
     * A record whose usage Kafka does not have yet must stay out of the log, as its outbox row goes with that. Seen failing when
     * both are sent at once, which lost the usage of what ended just before Kafka was killed.
     */
    @Test
    void publishesNoRecordBeforeItsUsageIsSafe() {
        OutboxRelay refused = servers.relayWithoutTelemetry(outbox);
        AuditSink sink = servers.sink(outbox);
        write(3);
        AuditServers.until("the relay notices", () -> refused.status().trouble().isPresent());
        assertThat(refused.status().published()).isZero();
        refused.close();
        assertThat(servers.count("SELECT count(*) FROM audit_outbox")).isEqualTo(12);
        assertThat(sink.status().stored()).isZero();

        servers.relay(outbox);
        var telemetry = servers.telemetrySink(_ -> {});

        AuditServers.until("the outbox is empty", () -> servers.count("SELECT count(*) FROM audit_outbox") == 0);
        AuditServers.until("all are counted", () -> telemetry.status().counted() == 3);
    }

    @Test
    void answersEachFilterWithinTheTenantOnly() {
        Clock noon = Clock.fixed(Instant.parse("2026-01-02T12:00:00Z"), ZoneOffset.UTC);
        Clock later = Clock.fixed(Instant.parse("2026-01-03T12:00:00Z"), ZoneOffset.UTC);
        Executions first = new Executions(noon);
        PrincipalId ada = PrincipalId.create();
        PrincipalId bob = PrincipalId.create();
        ExecutionId allowed = ExecutionId.create();
        ExecutionId denied = ExecutionId.create();
        append(first.succeeded(ada, allowed, "greet"));
        append(first.denied(bob, denied, "burn"));
        append(new Executions(later).succeeded(ada, ExecutionId.create(), "greet")); // another tenant
        intoLog();
        AuditTrail trail = new AuditTrail(servers.pool, Duration.ofSeconds(10));
        AuditQuery all = query(first.tenant);

        assertThat(find(trail, all)).hasSize(7);
        assertThat(find(trail, query(TenantId.create()))).isEmpty();
        assertThat(find(trail, with(all, q -> q.principal = Optional.of(ada)))).hasSize(4);
        assertThat(find(trail, with(all, q -> q.execution = Optional.of(denied))))
                .hasSize(3);
        assertThat(find(trail, with(all, q -> q.capability = Optional.of("tool:burn"))))
                .hasSize(3);
        assertThat(find(trail, with(all, q -> q.decision = Optional.of("deny"))))
                .singleElement()
                .satisfies(record -> assertThat(record.canonical()).contains(denied.value()));
        assertThat(find(trail, with(all, q -> q.type = Optional.of("io.aiel.plane.execution.admitted.v1"))))
                .singleElement()
                .satisfies(record -> assertThat(record.canonical()).contains(allowed.value()));
        assertThat(find(trail, with(all, q -> q.from = Optional.of(noon.instant()))))
                .hasSize(7);
        assertThat(find(trail, with(all, q -> q.to = Optional.of(noon.instant()))))
                .isEmpty();
        assertThat(find(
                        trail,
                        with(all, q -> q.from = Optional.of(noon.instant().plusNanos(1000)))))
                .isEmpty();
        assertThat(find(trail, with(all, q -> q.workspace = Optional.of(first.scope.workspace()))))
                .hasSize(7);
        assertThat(find(trail, with(all, q -> q.project = Optional.of(io.aiel.plane.vocabulary.ProjectId.create()))))
                .isEmpty();
    }

    /** All of one instant on purpose: only the id tells them apart. Seen failing with the id taken out of the cursor's condition. */
    @Test
    void pagesThroughAllRecordsOnceInEitherDirection() {
        Executions sameInstant =
                new Executions(Clock.fixed(Instant.parse("2026-01-02T12:00:00.123456Z"), ZoneOffset.UTC));
        for (int i = 0; i < 25; i++) {
            append(sameInstant.succeeded());
        }
        intoLog();
        AuditTrail trail = new AuditTrail(servers.pool, Duration.ofSeconds(10));

        for (boolean newestFirst : new boolean[] {true, false}) {
            List<String> ids = new ArrayList<>();
            Optional<AuditQuery.Cursor> cursor = Optional.empty();
            int pages = 0;
            do {
                Optional<AuditQuery.Cursor> after = cursor.map(c -> AuditQuery.Cursor.parse(c.toString()));
                AuditTrail.Page page = trail.find(with(query(sameInstant.tenant), q -> {
                            q.limit = 7;
                            q.newestFirst = newestFirst;
                            q.after = after;
                        }))
                        .await()
                        .atMost(AuditServers.LIMIT);
                page.records().forEach(record -> ids.add(record.id().value()));
                cursor = page.next();
                pages++;
            } while (cursor.isPresent() && pages < 100);

            assertThat(pages).isEqualTo(15);
            assertThat(ids).hasSize(100).doesNotHaveDuplicates();
            assertThat(ids)
                    .isSortedAccordingTo(
                            newestFirst ? java.util.Comparator.reverseOrder() : java.util.Comparator.naturalOrder());
        }
    }

    @Test
    void showsAllOfAnExecutionBeforeItIsInTheLogAndAfter() {
        ExecutionId execution = ExecutionId.create();
        List<AuditRecord> records = executions.succeeded(PrincipalId.create(), execution, "greet");
        append(records.subList(0, 3));
        AuditTrail trail = new AuditTrail(servers.pool, Duration.ofSeconds(10));
        assertThat(eventsOf(trail, executions.tenant, execution)).isEqualTo(records.subList(0, 3));

        intoLog();
        append(records.subList(3, 4));

        assertThat(eventsOf(trail, executions.tenant, execution)).isEqualTo(records);
        assertThat(eventsOf(trail, TenantId.create(), execution)).isEmpty();
    }

    // --- parts

    List<AuditRecord> write(int howMany) {
        List<AuditRecord> all = new ArrayList<>();
        for (int i = 0; i < howMany; i++) {
            all.addAll(executions.succeeded());
        }
        append(all);
        return all;
    }

    final AuditServers current() {
        return servers;
    }

    final PgOutbox outbox() {
        return outbox;
    }

    void assertLogHolds(List<AuditRecord> written) {
        Map<String, String> log = servers.rows("SELECT stream, sequence, hash, canonical FROM audit_events").stream()
                .collect(Collectors.toMap(
                        row -> row.getString(0) + "#" + row.getLong(1), row -> row.getString(2) + row.getString(3)));
        Map<String, String> expected = written.stream()
                .collect(Collectors.toMap(
                        record -> record.stream() + "#" + record.sequence(),
                        record -> record.hash() + record.canonical()));
        assertThat(log).isEqualTo(expected);
    }

    long unpublished() {
        return servers.count("SELECT count(*) FROM audit_outbox WHERE published_at IS NULL");
    }

    private void append(List<AuditRecord> records) {
        servers.pool
                .withTransaction(transaction -> outbox.append(transaction, records))
                .await()
                .atMost(AuditServers.LIMIT);
        outbox.committed();
    }

    /** Moves all that waits into the log. */
    private void intoLog() {
        OutboxRelay relay = servers.relay(outbox);
        AuditSink sink = servers.sink(outbox);
        AuditServers.until("the outbox is empty", () -> servers.count("SELECT count(*) FROM audit_outbox") == 0);
        relay.close();
        sink.close();
    }

    private static List<AuditRecord> find(AuditTrail trail, AuditQuery query) {
        return trail.find(query).await().atMost(AuditServers.LIMIT).records();
    }

    private static List<AuditRecord> eventsOf(AuditTrail trail, TenantId tenant, ExecutionId execution) {
        return trail.executionEvents(tenant, execution).await().atMost(AuditServers.LIMIT);
    }

    private static AuditQuery query(TenantId tenant) {
        return new QueryParts(tenant).query();
    }

    private static AuditQuery with(AuditQuery query, java.util.function.Consumer<QueryParts> change) {
        QueryParts parts = new QueryParts(query.tenant());
        change.accept(parts);
        return parts.query();
    }

    private static final class QueryParts {
        private final TenantId tenant;
        private Optional<io.aiel.plane.vocabulary.WorkspaceId> workspace = Optional.empty();
        private Optional<io.aiel.plane.vocabulary.ProjectId> project = Optional.empty();
        private Optional<PrincipalId> principal = Optional.empty();
        private Optional<String> type = Optional.empty();
        private Optional<ExecutionId> execution = Optional.empty();
        private Optional<String> capability = Optional.empty();
        private Optional<String> decision = Optional.empty();
        private Optional<Instant> from = Optional.empty();
        private Optional<Instant> to = Optional.empty();
        private boolean newestFirst = true;
        private int limit = AuditQuery.LIMIT_DEFAULT;
        private Optional<AuditQuery.Cursor> after = Optional.empty();

        QueryParts(TenantId tenant) {
            this.tenant = tenant;
        }

        AuditQuery query() {
            return new AuditQuery(
                    tenant,
                    workspace,
                    project,
                    principal,
                    type,
                    execution,
                    capability,
                    decision,
                    from,
                    to,
                    newestFirst,
                    limit,
                    after);
        }
    }

    private void makeTopics() {
        OutboxRelay relay = servers.relay(outbox);
        write(1);
        AuditServers.until("topics exist", () -> relay.status().published() > 0);
        AuditServers.until("all are marked", () -> unpublished() == 0);
        relay.close();
        servers.execute("DELETE FROM audit_outbox");
        AuditSink sink = servers.sink(outbox);
        AuditServers.until("what made the topics is read", this::groupIsAtTheEnd);
        sink.close();
        servers.execute("DELETE FROM audit_events");
    }

    private void send(List<String> messages) throws Exception {
        Map<String, Object> properties = new HashMap<>(servers.kafka);
        properties.put("acks", "all");
        try (var producer = new KafkaProducer<>(properties, new StringSerializer(), new ByteArraySerializer())) {
            for (String message : messages) {
                producer.send(new ProducerRecord<>(servers.auditTopic, "key", message.getBytes(StandardCharsets.UTF_8)))
                        .get(AuditServers.LIMIT.toSeconds(), TimeUnit.SECONDS);
            }
        }
    }

    private void rewindGroup() throws Exception {
        try (Admin admin = Admin.create(servers.kafka)) {
            Map<TopicPartition, OffsetAndMetadata> offsets = admin.listConsumerGroupOffsets(servers.group())
                    .partitionsToOffsetAndMetadata()
                    .get(AuditServers.LIMIT.toSeconds(), TimeUnit.SECONDS);
            assertThat(offsets).isNotEmpty();
            Map<TopicPartition, OffsetAndMetadata> rewound = new HashMap<>();
            offsets.keySet().forEach(partition -> rewound.put(partition, new OffsetAndMetadata(0)));
            admin.alterConsumerGroupOffsets(servers.group(), rewound)
                    .all()
                    .get(AuditServers.LIMIT.toSeconds(), TimeUnit.SECONDS);
        }
    }

    private boolean groupIsAtTheEnd() {
        return groupIsAtTheEnd(servers.group());
    }

    private boolean groupIsAtTheEnd(String group) {
        String topic = group.substring(0, group.length() - "-group".length());
        try (Admin admin = Admin.create(servers.kafka)) {
            Set<TopicPartition> partitions = Objects.requireNonNull(admin.describeTopics(List.of(topic))
                            .allTopicNames()
                            .get(AuditServers.LIMIT.toSeconds(), TimeUnit.SECONDS)
                            .get(topic))
                    .partitions()
                    .stream()
                    .map(partition -> new TopicPartition(topic, partition.partition()))
                    .collect(Collectors.toSet());
            var ends = admin.listOffsets(partitions.stream()
                            .collect(Collectors.toMap(p -> p, _ -> org.apache.kafka.clients.admin.OffsetSpec.latest())))
                    .all()
                    .get(AuditServers.LIMIT.toSeconds(), TimeUnit.SECONDS);
            var committed = admin.listConsumerGroupOffsets(group)
                    .partitionsToOffsetAndMetadata()
                    .get(AuditServers.LIMIT.toSeconds(), TimeUnit.SECONDS);
            return partitions.stream().allMatch(partition -> {
                long end = Objects.requireNonNull(ends.get(partition)).offset();
                OffsetAndMetadata at = committed.get(partition);
                return end == 0 || (at != null && at.offset() == end);
            });
        } catch (Exception e) {
            throw new IllegalStateException("Kafka did not say how far the group is", e);
        }
    }

    /** A field that {@link #open()} sets before any test runs. */
    @SuppressWarnings({"NullAway", "TypeParameterUnusedInFormals"})
    private static <T> T unset() {
        return null;
    }
}
