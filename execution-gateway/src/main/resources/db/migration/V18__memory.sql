-- What agents remember: threads with messages and a state, checkpoints, and recall items. Every row is one project's; ids are digests over the
-- project and the caller's own key, so that the same key in two projects is two rows. Texts are JSON as it came (json, not jsonb: that would make
-- 10000000000000000000000 of 1e22, and lose the order of members).

create table memory_threads (
  id                 text        not null primary key,
  tenant             text        not null,
  project            text        not null references projects (id) on delete cascade,
  thread_key         text        not null,
  user_id            text,
  agent_id           text,
  revision           bigint      not null default 1,
  generation         bigint      not null default 0,
  last_seq           bigint      not null default 0,
  messages           integer     not null default 0,
  messages_at        timestamptz,
  messages_expire_at timestamptz,
  state              json,
  state_bytes        bigint      not null generated always as (coalesce(octet_length(state::text), 0)) stored,
  state_bytes_before bigint      not null default 0,
  state_at           timestamptz,
  state_expire_at    timestamptz
);
comment on column memory_threads.generation is 'Counts how often its messages have expired; those of earlier generations are nobody''s any more.';
comment on column memory_threads.state_bytes_before is 'What the last change found, so that the statement that made it can tell by how much it grew.';
create index memory_threads_of_project on memory_threads (project, id);
create index memory_threads_messages_due on memory_threads (messages_expire_at) where messages_expire_at is not null;
create index memory_threads_state_due on memory_threads (state_expire_at) where state_expire_at is not null;
create index memory_threads_empty on memory_threads (id) where messages_at is null and state_at is null;

create table memory_messages (
  thread      text    not null references memory_threads (id) on delete cascade,
  generation  bigint  not null,
  seq         bigint  not null,
  tenant      text    not null,
  project     text    not null,
  role        text    not null check (role in ('human', 'ai', 'system', 'tool')),
  content     text    not null,
  ts          text    not null,
  meta        json    not null,
  bytes       bigint  not null,
  primary key (thread, generation, seq)
);

-- One of a thread, the last: no call reads an earlier one, and when the last expires, an earlier one must not come back in its place.
create table memory_checkpoints (
  thread       text        not null primary key,
  tenant       text        not null,
  project      text        not null references projects (id) on delete cascade,
  thread_key   text        not null,
  user_id      text,
  agent_id     text,
  id           text        not null,
  state        json        not null,
  metadata     json        not null,
  bytes        bigint      not null,
  bytes_before bigint      not null default 0,
  revision     bigint      not null default 1,
  created_at   timestamptz not null,
  expires_at   timestamptz
);
create index memory_checkpoints_of_project on memory_checkpoints (project, thread);
create index memory_checkpoints_due on memory_checkpoints (expires_at) where expires_at is not null;

create table memory_items (
  id           text        not null primary key,
  tenant       text        not null,
  project      text        not null references projects (id) on delete cascade,
  namespace    text[]      not null,
  path         text        collate "C" not null,
  path_start   text        collate "C" not null generated always as (left(path, 200)) stored,
  key          text        not null,
  value        json        not null,
  tags         json        not null,
  tags_found   jsonb       not null,
  words        tsvector    not null,
  bytes        bigint      not null,
  bytes_before bigint      not null default 0,
  revision     bigint      not null default 1,
  updated_at   timestamptz not null,
  expires_at   timestamptz
);
comment on column memory_items.path is 'The namespace as one text, each name with a mark behind it: what begins with the path of a namespace is in it.';
comment on column memory_items.path_start is 'As much of it as an index can hold; a column, as row-level security keeps functions out of an index scan.';
create index memory_items_by_path on memory_items (project, path_start);
create index memory_items_due on memory_items (expires_at) where expires_at is not null;

-- What each project keeps. Sixteen rows for each, by the last digit of what was written, so that writers seldom wait for one another.
create table memory_usage (
  project     text   not null references projects (id) on delete cascade,
  shard       text   not null,
  threads     bigint not null default 0,
  checkpoints bigint not null default 0,
  items       bigint not null default 0,
  bytes       bigint not null default 0,
  primary key (project, shard)
);

-- Members of the second over those of the first, as dict.update does; the order is that in which names came first.
create function memory_merged(kept json, patch json) returns json language sql immutable as $$
  select coalesce(json_object_agg(one.key, one.value order by one.first_at), '{}'::json)
  from (
    select distinct on (key) key, value, min(at) over (partition by key) as first_at
    from (
      select key, value, at from json_each(kept) with ordinality as k (key, value, at)
      union all
      select key, value, at + 1000000000 from json_each(patch) with ordinality as p (key, value, at)) as both_of_them
    order by key, at desc) as one
$$;

-- The second line behind the statements' own conditions: each names the project that it is about before it runs (decision 0026).
do $$
declare one text;
begin
  foreach one in array array['memory_threads', 'memory_messages', 'memory_checkpoints', 'memory_items', 'memory_usage'] loop
    execute format('alter table %I enable row level security', one);
    execute format('alter table %I force row level security', one);
    execute format($policy$create policy of_the_project on %I
      using (project = current_setting('plane.memory_project', true) or current_setting('plane.memory_project', true) = '*')$policy$, one);
  end loop;
end $$;
