-- Telling others that an execution has ended. A row is written with the admission, becomes due in the statement that closes the execution,
-- and is claimed by whichever server sends it.

create table callback_deliveries (
  execution       text        not null primary key references executions (id) on delete cascade,
  project         text        not null,
  lane            text        not null,
  origin          text        not null,
  url             text,
  include_result  boolean     not null,
  state           text        not null check (state in ('waiting', 'pending', 'delivered', 'failed')),
  attempts        integer     not null default 0,
  last_status     integer,
  last_error      text,
  due_since       timestamptz,
  next_at         timestamptz,
  ended_at        timestamptz,
  check ((state = 'pending') = (next_at is not null)),
  check ((state in ('delivered', 'failed')) = (ended_at is not null))
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
comment on column callback_deliveries.lane is 'Project and host: what is slow in one lane does not hold up another.';
comment on column callback_deliveries.url is 'Gone when the delivery has ended: it may hold a secret of its caller.';
comment on column callback_deliveries.next_at is 'Before then nobody sends it; whoever sends it moves this on first, so that it comes again should that server die.';
create index callback_deliveries_due on callback_deliveries (lane, next_at) where state = 'pending';

create table callback_secrets (
  id          text        not null primary key,
  project     text        not null references projects (id) on delete cascade,
  sealed      bytea       not null,
  created_at  timestamptz not null,
  expires_at  timestamptz
);
comment on column callback_secrets.sealed is 'AES-256-GCM under the key of plane.callbacks.sealing-key, bound to project and id.';
create index callback_secrets_of_project on callback_secrets (project, id);

create table callback_keys (
  id   text  not null primary key,
  key  bytea not null
);
comment on table callback_keys is 'The sealing key, where the operator configured none.';
