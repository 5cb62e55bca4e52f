-- Connections of projects to outside systems, what opens them, and what was done with them.

create table connections (
  id                 text        not null primary key,
  tenant             text        not null,
  workspace          text        not null,
  project            text        not null references projects (id) on delete cascade,
  provider           text        not null,
  display_name       text        not null,
  status             text        not null check (status in ('enabled', 'disabled')),
  status_reason      text        not null default '',
  settings           jsonb       not null,
  allowed_actions    text[]      not null,
  granted_actions    text[]      not null,
  calls_per_minute   integer     not null,
  timeout_ms         integer     not null,
  credential_version integer     not null default 0,
  has_credentials    boolean     not null default false,
  revision           bigint      not null default 1,
  created_at         timestamptz not null,
  updated_at         timestamptz not null
);
comment on column connections.allowed_actions is 'What the connection is for. An action needs to be here and among the granted ones.';
comment on column connections.credential_version is 'Counts the credentials that there were; 0 when there never were any.';
create index connections_of_project on connections (project, id);

-- A row for each version; what a newer version replaced is deleted with that.
create table connection_credentials (
  connection  text        not null references connections (id) on delete cascade,
  version     integer     not null,
  kek         text        not null,
  wrapped_key bytea       not null,
  sealed      bytea       not null,
  created_at  timestamptz not null,
  primary key (connection, version)
);
comment on column connection_credentials.wrapped_key is 'The version''s own data key, encrypted with the key of that name, which is not in the database.';
create index connection_credentials_by_kek on connection_credentials (kek);

-- One row for each call, written before its first byte leaves. No reference to the connection: what was done stays known when it is gone.
create table connection_calls (
  id              text        not null primary key,
  tenant          text        not null,
  workspace       text        not null,
  project         text        not null references projects (id) on delete cascade,
  connection      text        not null,
  action          text        not null,
  principal       text        not null,
  execution       text,
  idempotency_key text,
  request_digest  text        not null,
  response_digest text,
  status          text        not null check (status in ('sent', 'done', 'refused', 'unknown')),
  code            text,
  result          text,
  sent_at         timestamptz not null,
  deadline_at     timestamptz not null,
  ended_at        timestamptz
);
comment on column connection_calls.result is 'Kept for a while, and only for a call with a key, to be given again.';
create unique index connection_calls_by_key on connection_calls (connection, principal, idempotency_key) where idempotency_key is not null;
create index connection_calls_sent on connection_calls (deadline_at) where status = 'sent';
create index connection_calls_ended on connection_calls (ended_at) where ended_at is not null;
