package io.aiel.plane.gateway.memory;

/**
 * The statements of {@link MemoryStore}. Each writing one is whole in itself: it looks at the quota, takes its row, writes, and counts what it
 * wrote, in one round trip and one commit. {@code $1} is the tenant and {@code $2} the project in all.
 *
 * <p>All take locks in the same order, a thread or item first and a row of {@code memory_usage} last, so that none waits for another in a circle.
 */
final class MemoryStatements {
    private MemoryStatements() {}

    /** From then on this connection sees this project's rows alone, or, with {@code *}, all. */
    static final String ABOUT = "select set_config('plane.memory_project', $1, $2)";

    private static final String USAGE = """
            with usage as (
              select coalesce(sum(threads), 0)::bigint as threads, coalesce(sum(checkpoints), 0)::bigint as checkpoints,
                coalesce(sum(items), 0)::bigint as items, coalesce(sum(bytes), 0)::bigint as bytes
              from memory_usage where project = $2),
            """;

    static final String USED = USAGE + "tenant as (select $1::text) select usage.* from usage, tenant";

    /** $3 id, $4 key, $5 user, $6 agent, $7 now, $8 expiry, $9 shard, $10 threads at most. */
    private static final String THREAD = """
            thread as (
              insert into memory_threads as t (tenant, project, id, thread_key, user_id, agent_id, %1$s)
              select $1, $2, $3, $4, $5, $6, %2$s
              from usage
              where (usage.threads < $10 or exists (select from memory_threads where id = $3)) and %3$s
              on conflict (id) do update set
                revision = t.revision + 1,
                user_id = coalesce(excluded.user_id, t.user_id),
                agent_id = coalesce(excluded.agent_id, t.agent_id),
                %4$s
              where %5$s
              returning t.*),
            """;

    /** $11 messages, $12 their bytes, $13 bytes at most, $14 messages at most, $15 … $19 the messages. */
    static final String APPEND = USAGE
            + THREAD.formatted(
                    "last_seq, messages, messages_at, messages_expire_at",
                    "$11::integer, $11::integer, $7::timestamptz, $8::timestamptz",
                    "usage.bytes + $12 <= $13 and $11 <= $14",
                    """
                    generation = t.generation + case when t.messages_expire_at <= $7 then 1 else 0 end,
                    last_seq = t.last_seq + excluded.messages,
                    messages = excluded.messages + case when t.messages_expire_at <= $7 then 0 else t.messages end,
                    messages_at = greatest(excluded.messages_at, t.messages_at),
                    messages_expire_at = case
                      when $8 is not null then $8
                      when t.messages_expire_at <= $7 then null
                      else t.messages_expire_at end""",
                    "excluded.messages + case when t.messages_expire_at <= $7 then 0 else t.messages end <= $14")
            + """
            gone as (
              delete from memory_messages m using thread
              where m.thread = thread.id and m.generation < thread.generation
              returning m.bytes),
            added as (
              insert into memory_messages (thread, generation, seq, tenant, project, role, content, ts, meta, bytes)
              select thread.id, thread.generation, thread.last_seq - $11 + m.at, $1, $2, m.role, m.content, m.ts, m.meta::json, m.bytes
              from thread, unnest($15::text[], $16::text[], $17::text[], $18::text[], $19::bigint[])
                with ordinality as m (role, content, ts, meta, bytes, at)),
            """
            + counted("threads", "thread", "$12 - coalesce((select sum(bytes) from gone), 0)")
            + "select messages_at from thread";

    /** $11 patch, $12 its bytes, $13 bytes at most, $14 bytes of a state at most. */
    static final String PATCH = USAGE
            + THREAD.formatted(
                    "state, state_at, state_expire_at",
                    "memory_merged('{}', $11::text::json), $7::timestamptz, $8::timestamptz",
                    "usage.bytes + $12 <= $13 and $12 <= $14",
                    """
                    state = memory_merged(case when t.state_at is null or t.state_expire_at <= $7 then '{}' else t.state end,
                      $11::text::json),
                    state_bytes_before = t.state_bytes,
                    state_at = greatest(excluded.state_at, t.state_at),
                    state_expire_at = case
                      when $8 is not null then $8
                      when t.state_expire_at <= $7 then null
                      else t.state_expire_at end""",
                    // The sum is cheap and nearly always enough.
                    """
                    t.state_at is null or t.state_expire_at <= $7 or t.state_bytes + $12 <= $14
                      or octet_length(memory_merged(t.state, $11::text::json)::text) <= $14""")
            + counted("threads", "thread", "state_bytes - state_bytes_before")
            + "select state::text, state_at from thread";

    static final String MESSAGES = """
            select t.messages_at, m.seq, m.role, m.content, m.ts, m.meta
            from memory_threads t left join lateral (
              select * from (
                select seq, role, content, ts, meta::text as meta, sum(bytes) over (order by seq desc) as so_far
                from memory_messages
                where thread = t.id and generation = t.generation
                order by seq desc limit $5) as newest
              where so_far <= $6::bigint) as m on true
            where t.tenant = $1 and t.project = $2 and t.id = $3 and t.messages_at is not null
              and (t.messages_expire_at is null or t.messages_expire_at > $4)
            order by m.seq
            """;

    static final String STATE = """
            select state::text, state_at from memory_threads
            where tenant = $1 and project = $2 and id = $3 and state_at is not null
              and (state_expire_at is null or state_expire_at > $4)
            """;

    /** $3 now, $4 user, $5 agent, $6 after which id, $7 rows. */
    static final String THREADS = """
            select id, max(thread_key) as thread_key, max(user_id) as user_id, max(agent_id) as agent_id,
              sum(messages)::integer as messages, max(at) as at
            from (
              select id, thread_key, user_id, agent_id, greatest(messages_at, state_at) as at,
                case when messages_expire_at <= $3 then 0 else messages end as messages
              from memory_threads
              where tenant = $1 and project = $2 and id > $6
                and ((messages_at is not null and (messages_expire_at is null or messages_expire_at > $3))
                  or (state_at is not null and (state_expire_at is null or state_expire_at > $3)))
              union all
              select thread, thread_key, user_id, agent_id, created_at, 0
              from memory_checkpoints
              where tenant = $1 and project = $2 and thread > $6 and (expires_at is null or expires_at > $3)) as parts
            where ($4::text is null or user_id = $4::text) and ($5::text is null or agent_id = $5::text)
            group by id order by id limit $7
            """;

    /** $3 id. The thread's row first, as all that write to it do. */
    static final String FORGET_THREAD = """
            with found as (
              select id, state_bytes from memory_threads where tenant = $1 and project = $2 and id = $3 for update),
            messages as (delete from memory_messages m using found where m.thread = found.id returning m.bytes),
            thread as (delete from memory_threads where id in (select id from found) returning state_bytes as bytes),
            checkpoint as (
              delete from memory_checkpoints where tenant = $1 and project = $2 and thread = $3 returning bytes),
            gone as (
              select (select count(*) from thread) as threads, (select count(*) from checkpoint) as checkpoints,
                (select coalesce(sum(bytes), 0)
                  from (select bytes from thread union all select bytes from messages union all select bytes from checkpoint)
                  as all_of_them)::bigint as bytes),
            counted as (
              insert into memory_usage as u (project, shard, threads, checkpoints, bytes)
              select $2, right($3, 1), -threads, -checkpoints, -bytes from gone where threads + checkpoints > 0
              on conflict (project, shard) do update set threads = u.threads + excluded.threads,
                checkpoints = u.checkpoints + excluded.checkpoints, bytes = u.bytes + excluded.bytes)
            select threads + checkpoints > 0 from gone
            """;

    /** $3 thread, $4 key, $5 user, $6 agent, $7 now, $8 expiry, $9 shard, $10 at most, $11 id, $12 state, $13 metadata, $14 bytes, $15 at most. */
    static final String CHECKPOINT = USAGE + """
            checkpoint as (
              insert into memory_checkpoints as c
                (tenant, project, thread, thread_key, user_id, agent_id, created_at, expires_at, id, state, metadata, bytes)
              select $1, $2, $3, $4, $5, $6, $7::timestamptz, $8::timestamptz, $11, $12::text::json, $13::text::json, $14::bigint
              from usage
              where (usage.checkpoints < $10 or exists (select from memory_checkpoints where thread = $3))
                and usage.bytes + $14 <= $15
              on conflict (thread) do update set
                revision = c.revision + 1,
                user_id = coalesce(excluded.user_id, c.user_id),
                agent_id = coalesce(excluded.agent_id, c.agent_id),
                created_at = excluded.created_at,
                expires_at = excluded.expires_at,
                id = excluded.id,
                state = excluded.state,
                metadata = excluded.metadata,
                bytes = excluded.bytes,
                bytes_before = c.bytes
              returning c.revision, c.bytes, c.bytes_before),
            """ + counted("checkpoints", "checkpoint", "bytes - bytes_before")
            + "select revision from checkpoint";

    static final String LATEST = """
            select id, state::text, metadata::text, created_at from memory_checkpoints
            where tenant = $1 and project = $2 and thread = $3 and (expires_at is null or expires_at > $4)
            """;

    /**
     * $3 id, $4 namespace, $5 path, $6 key, $7 now, $8 expiry, $9 shard, $10 items at most, $11 value, $12 tags, $13 words, $14 bytes, $15 bytes at
     * most, $16 dimensions, $17 embedding.
     */
    static final String PUT =
            USAGE + """
            item as (
              insert into memory_items as i
                (tenant, project, id, namespace, path, key, updated_at, expires_at, value, tags, tags_found, words, bytes, dimensions, embedding)
              select $1, $2, $3, $4::text[], $5, $6, $7::timestamptz, $8::timestamptz, $11::text::json, $12::text::json,
                $12::text::jsonb, to_tsvector('simple', $13), $14::bigint, $16::integer, $17::bytea
              from usage
              where (usage.items < $10 or exists (select from memory_items where id = $3)) and usage.bytes + $14 <= $15
              on conflict (id) do update set
                revision = i.revision + 1,
                updated_at = excluded.updated_at,
                expires_at = excluded.expires_at,
                value = excluded.value,
                tags = excluded.tags,
                tags_found = excluded.tags_found,
                words = excluded.words,
                bytes = excluded.bytes,
                bytes_before = i.bytes,
                dimensions = excluded.dimensions,
                embedding = excluded.embedding
              returning i.revision, i.bytes, i.bytes_before),
            """ + counted("items", "item", "bytes - bytes_before") + "select revision from item";

    private static final String SHOWN = "namespace, key, value::text, tags::text, updated_at\n";

    static final String GET = "select " + SHOWN + """
             from memory_items
            where tenant = $1 and project = $2 and id = $3 and (expires_at is null or expires_at > $4)
            """;

    /** $3 now, $4 path, $5 and $6 its range, $7 tags. */
    private static final String INSIDE = """
            tenant = $1 and project = $2 and (expires_at is null or expires_at > $3)
              and path_start >= $5 and path_start < $6 and starts_with(path, $4)
              and ($7::text is null or not exists (
                select from jsonb_each($7::text::jsonb) as wanted (name, value)
                where tags_found -> wanted.name is distinct from wanted.value))
            """;

    /** Of {@code memory_items i}: $8 how keys begin, $9 text. */
    private static final String FITS = INSIDE + """
              and ($8::text is null or starts_with(key, $8::text))
              and ($9::text is null or i.words @@ asked.words)
            """;

    private static final String ASKED = """
            (select replace(plainto_tsquery('simple', coalesce($9::text, ''))::text, ' & ', ' | ')::tsquery as words) as asked
            """;

    /** $8 how keys begin, $9 text, $10 rows, $11 bytes of an answer at most. */
    static final String SEARCH = "select " + SHOWN + """
             from (
              select *, sum(bytes) over (order by rank desc, updated_at desc, id) as so_far
              from (
                select i.*, case when $9::text is null then 0 else ts_rank(i.words, asked.words) end as rank
                from memory_items i,\s""" + ASKED + " where " + FITS + """
                order by rank desc, updated_at desc, id limit $10) as best) as found
            where so_far <= $11::bigint
            order by rank desc, updated_at desc, id
            """;

    /** What several statements see is of one moment. */
    static final String ONE_MOMENT = "set transaction isolation level repeatable read, read only";

    /** $8 how keys begin, $9 text, $10 dimensions, $11 rows: vectors of the newest. */
    static final String VECTORS = "select id, embedding from memory_items i, " + ASKED + " where " + FITS
            + " and dimensions = $10 order by updated_at desc, id limit $11";

    /** $8 how keys begin, $9 text, $10 dimensions, $11 as many at most: how many have others. */
    static final String OTHER_DIMENSIONS = "select count(*)::integer from (select from memory_items i, " + ASKED
            + " where " + FITS + " and dimensions <> $10 limit $11) as others";

    /** $3 ids in their order, $4 bytes of an answer at most. */
    static final String OF_IDS = "select " + SHOWN + """
            , id from (
              select i.*, wanted.at, sum(i.bytes) over (order by wanted.at) as so_far
              from unnest($3::text[]) with ordinality as wanted (wanted_id, at) join memory_items i on i.id = wanted.wanted_id
              where i.tenant = $1 and i.project = $2) as found
            where so_far <= $4::bigint
            order by at
            """;

    /** $3 ids. */
    static final String FORGET_KEYS = forget("tenant = $1 and project = $2 and id = any ($3::text[])");

    /** $8 rows at most. */
    static final String FORGET_TAGS = forget(INSIDE + " order by id limit $8");

    /** Locks in the order of their ids, so that two that forget the same wait for one another and not in a circle. */
    private static String forget(String which) {
        // The limit of the second is inside; the first has its own order.
        String ordered = which.contains("order by") ? which : which + " order by id";
        return """
                with found as (select id from memory_items where %s for update),
                gone as (delete from memory_items where id in (select id from found) returning id, project, bytes),
                counted as (%s)
                select count(*)::integer as forgotten from gone
                """.formatted(ordered, released("gone", "right(id, 1)", "0, 0, -count(*)"));
    }

    /** Sweeps take $1 now and $2 rows at most; they know of no project. */
    static final String SWEEP_MESSAGES = """
            with due as (
              select id, generation from memory_threads where messages_expire_at <= $1
              order by messages_expire_at limit $2 for update skip locked),
            picked as (
              select m.thread, m.generation, m.seq
              from due join memory_messages m on m.thread = due.id and m.generation = due.generation limit $2),
            gone as (
              delete from memory_messages m using picked
              where m.thread = picked.thread and m.generation = picked.generation and m.seq = picked.seq
              returning m.thread, m.project, m.bytes),
            counted as (%s)
            select count(*)::integer from gone
            """.formatted(released("gone", "right(thread, 1)", "0, 0, 0"));

    /** A generation ends when nothing of it is left. */
    static final String SWEEP_CONVERSATIONS = """
            with due as (
              select id from memory_threads t where messages_expire_at <= $1
                and not exists (select from memory_messages m where m.thread = t.id and m.generation = t.generation)
              order by messages_expire_at limit $2 for update skip locked),
            ended as (
              update memory_threads t set messages = 0, messages_at = null, messages_expire_at = null,
                generation = t.generation + 1, revision = t.revision + 1
              from due where t.id = due.id returning t.id)
            select count(*)::integer from ended
            """;

    static final String SWEEP_STATES = """
            with due as (
              select id, state_bytes from memory_threads where state_expire_at <= $1
              order by state_expire_at limit $2 for update skip locked),
            gone as (
              update memory_threads t set state = null, state_at = null, state_expire_at = null, revision = t.revision + 1
              from due where t.id = due.id returning t.id, t.project, due.state_bytes as bytes),
            counted as (%s)
            select count(*)::integer from gone
            """.formatted(released("gone", "right(id, 1)", "0, 0, 0"));

    static final String SWEEP_THREADS = """
            with due as (
              select id from memory_threads where messages_at is null and state_at is null and $1::timestamptz is not null
              order by id limit $2 for update skip locked),
            gone as (delete from memory_threads where id in (select id from due) returning id, project, 0 as bytes),
            counted as (%s)
            select count(*)::integer from gone
            """.formatted(released("gone", "right(id, 1)", "-count(*), 0, 0"));

    static final String SWEEP_CHECKPOINTS = """
            with due as (
              select thread from memory_checkpoints where expires_at <= $1
              order by expires_at limit $2 for update skip locked),
            gone as (delete from memory_checkpoints where thread in (select thread from due) returning thread, project, bytes),
            counted as (%s)
            select count(*)::integer from gone
            """.formatted(released("gone", "right(thread, 1)", "0, -count(*), 0"));

    static final String SWEEP_ITEMS = """
            with due as (
              select id from memory_items where expires_at <= $1 order by expires_at limit $2 for update skip locked),
            gone as (delete from memory_items where id in (select id from due) returning id, project, bytes),
            counted as (%s)
            select count(*)::integer from gone
            """.formatted(released("gone", "right(id, 1)", "0, 0, -count(*)"));

    /** What was written, into $9's row; a first revision is one more. */
    private static String counted(String what, String from, String bytes) {
        return """
                counted as (
                  insert into memory_usage as u (project, shard, %1$s, bytes)
                  select $2, $9, case when revision = 1 then 1 else 0 end, %3$s from %2$s
                  on conflict (project, shard) do update set %1$s = u.%1$s + excluded.%1$s, bytes = u.bytes + excluded.bytes)
                """.formatted(what, from, bytes);
    }

    /** What was cleared away, out of the rows that count it, in one order for all. */
    private static String released(String from, String shard, String threadsCheckpointsItems) {
        return """
                insert into memory_usage as u (project, shard, threads, checkpoints, items, bytes)
                select project, %2$s, %3$s, -sum(bytes) from %1$s group by project, %2$s order by 1, 2
                on conflict (project, shard) do update set threads = u.threads + excluded.threads,
                  checkpoints = u.checkpoints + excluded.checkpoints, items = u.items + excluded.items, bytes = u.bytes + excluded.bytes
                """.formatted(from, shard, threadsCheckpointsItems);
    }
}
