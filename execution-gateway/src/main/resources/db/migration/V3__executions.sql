-- Executions: one row per invocation, written at admission and closed once.

create table plane_nodes (
  node          text        not null,
  incarnation   text        not null primary key,
  started_at    timestamptz not null,
  heartbeat_at  timestamptz not null
);
comment on table plane_nodes is 'Servers that may own running executions; one row per start of a server.';

create table executions (
  id                text        not null primary key,
  tenant            text        not null,
  workspace         text        not null,
  project           text        not null,
  environment       text,
  snapshot_digest   text        not null,
  snapshot_id       text        not null,
  bundle            text        not null,
  action            text        not null,
  capability_kind   text,
  capability_name   text,
  principal         text        not null,
  request_id        text        not null,
  traceparent       text        not null,
  idempotency_key   text,
  arguments_digest  text,
  timeout_ms        integer     not null,
  status            text        not null check (status in ('running', 'denied', 'succeeded', 'failed', 'timed_out', 'killed', 'cancelled', 'lost')),
  decision_id       text        not null,
  policy_digest     text        not null,
  incarnation       text        not null,
  requested_at      timestamptz not null,
  finished_at       timestamptz,
  http_status       integer,
  error_code        text,
  error_message     text,
  result_digest     text,
  cpu_ms            bigint,
  wall_ms           bigint,
  max_rss_bytes     bigint,
  isolation         text,
  worker            text,
  audit_sequence    bigint      not null,
  audit_hash        text        not null,
  check ((status = 'running') = (finished_at is null))
);
create index executions_by_project on executions (project, id desc);
create index executions_running on executions (incarnation) where status = 'running';
comment on column executions.audit_sequence is 'Where the audit stream of this execution stands, so that another node can continue it.';

create table execution_logs (
  execution  text    not null references executions (id) on delete cascade,
  line       integer not null,
  entry      text    not null,
  primary key (execution, line)
);
