package io.aiel.plane.gateway.callback;

import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.gateway.database.LimitedPool;
import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import io.vertx.mutiny.sqlclient.Tuple;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What is to be sent, in PostgreSQL. A claim is a lease by time: it moves the next attempt on before this one is made, so that another server
 * makes it should this one die. The end of a delivery and its record are one transaction. Thread-safe.
 */
final class CallbackStore {
    /** The word for an answer that is not a success; the other words are of {@link CallbackSender}. */
    static final String STATUS = "status";

    /**
     * Claims at most $1 of those that are due. Lanes get turns: what a lane has in hand already ($2, $3) counts as turns that it has had; none
     * gets more than $4. The lanes are found one by one in the index, as a hundred of them must not cost a look at all that waits.
     */
    private static final String CLAIM = """
            with recursive lanes (lane) as (
                (select lane from callback_deliveries where state = 'pending' order by lane limit 1)
                union all
                select (select n.lane from callback_deliveries n
                        where n.state = 'pending' and n.lane > l.lane order by n.lane limit 1)
                from lanes l where l.lane is not null
            ), candidates as (
                select c.execution, c.next_at, coalesce(h.held, 0) + c.turn as turn
                from lanes l left join unnest($2::text[], $3::int[]) as h (lane, held) on h.lane = l.lane
                cross join lateral (
                    select w.*, row_number() over (order by w.next_at, w.execution) as turn from (
                        select d.execution, d.next_at from callback_deliveries d
                        where d.lane = l.lane and d.state = 'pending' and d.next_at <= statement_timestamp()
                        order by d.next_at, d.execution
                        limit greatest($4::int - coalesce(h.held, 0), 0)) as w) as c
                where l.lane is not null
            ), chosen as (
                select d.execution from callback_deliveries d join candidates c on c.execution = d.execution
                where d.state = 'pending' and d.next_at <= statement_timestamp()
                order by c.turn, c.next_at limit $1
                for update of d skip locked
            ), claimed as (
                update callback_deliveries d set attempts = d.attempts + 1,
                    next_at = clock_timestamp() + $5::bigint * interval '1 millisecond'
                from chosen where d.execution = chosen.execution
                returning d.execution, d.lane, d.url, d.include_result, d.attempts, d.due_since
            )
            select c.*, e.tenant, e.workspace, e.project, e.request_id, e.traceparent, e.capability_kind, e.capability_name, e.status,
                e.http_status, e.error_code, e.attempt, e.requested_at, e.started_at, e.finished_at, r.envelope
            from claimed c join executions e on e.id = c.execution
                left join execution_results r on c.include_result and r.execution = c.execution
            """;

    private static final String AGAIN = """
            update callback_deliveries set next_at = clock_timestamp() + $3::bigint * interval '1 millisecond',
                last_status = $4, last_error = $5
            where execution = $1 and attempts = $2 and state = 'pending'
            """;

    private static final String END = """
            update callback_deliveries set state = $3, url = null, next_at = null, ended_at = clock_timestamp(), last_status = $4,
                last_error = $5
            where execution = $1 and attempts = $2 and state = 'pending'
            """;

    private final LimitedPool database;
    private final ControlAudit audit;
    private final CallbackSettings settings;

    CallbackStore(Pool pool, ControlAudit audit, CallbackSettings settings) {
        this.database = new LimitedPool(pool, settings.statementTimeout());
        this.audit = audit;
        this.settings = settings;
    }

    /**
     * Claims what is due, at most so many.
     *
     * @param held what each lane has in hand here
     */
    Uni<List<CallbackDelivery>> claim(int most, Map<String, Integer> held) {
        List<String> lanes = new ArrayList<>(held.keySet());
        return database.run(
                        CLAIM,
                        Tuple.tuple()
                                .addInteger(most)
                                .addArrayOfString(lanes.toArray(String[]::new))
                                .addArrayOfInteger(lanes.stream().map(held::get).toArray(Integer[]::new))
                                .addInteger(settings.laneInHandMax())
                                .addLong(settings.lease().toMillis()))
                .map(rows -> {
                    List<CallbackDelivery> claimed = new ArrayList<>(rows.size());
                    rows.forEach(row -> claimed.add(CallbackDelivery.of(row, settings.envelopeCharactersMax())));
                    return claimed;
                });
    }

    /** Another attempt follows after this time. Nothing happens when somebody else has it meanwhile. */
    Uni<Void> again(CallbackDelivery delivery, Optional<Integer> status, String error, Duration after) {
        return database.run(
                        AGAIN,
                        of(delivery)
                                .addLong(after.toMillis())
                                .addValue(status.orElse(null))
                                .addString(error))
                .replaceWithVoid();
    }

    /** It was taken, or it is given up; on record together with that. */
    Uni<Void> end(CallbackDelivery delivery, boolean taken, Optional<Integer> status, @Nullable String error) {
        Map<String, String> facts = new HashMap<>();
        facts.put("host", delivery.url().host().toString());
        facts.put("attempts", Integer.toString(delivery.attempt()));
        status.ifPresent(code -> facts.put("status", Integer.toString(code)));
        if (error != null) {
            facts.put("error", error);
        }
        AuditEvent.ControlChanged event = new AuditEvent.ControlChanged(
                taken ? "callback.delivered" : "callback.failed",
                delivery.execution().value(),
                facts);
        return database.transaction(connection -> connection
                .preparedQuery(END)
                .execute(of(delivery)
                        .addString(taken ? "delivered" : "failed")
                        .addValue(status.orElse(null))
                        .addValue(error))
                .chain(rows -> rows.rowCount() == 0
                        ? Uni.createFrom().voidItem()
                        : audit.record(connection, context(delivery), event)));
    }

    private static AuditContext context(CallbackDelivery delivery) {
        return new AuditContext(
                delivery.scope().tenant(),
                Optional.of(delivery.scope().workspace()),
                Optional.of(delivery.scope().project()),
                Optional.empty(),
                delivery.requestId(),
                delivery.traceparent());
    }

    private static Tuple of(CallbackDelivery delivery) {
        return Tuple.tuple().addString(delivery.execution().value()).addInteger(delivery.attempt());
    }
}
