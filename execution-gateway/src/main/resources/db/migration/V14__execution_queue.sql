-- Executions that wait to be run: admitted with their records like all others, and begun by whichever server claims them.

alter table executions drop constraint executions_status_check;
alter table executions drop constraint executions_check;
alter table executions add constraint executions_status_check check (status in
  ('queued', 'running', 'denied', 'succeeded', 'failed', 'timed_out', 'killed', 'cancelled', 'lost', 'dead_letter'));
alter table executions add constraint executions_ended_check check ((status in ('queued', 'running')) = (finished_at is null));

-- All of them null for an execution that was never queued.
alter table executions add column priority smallint;
alter table executions add column start_at timestamptz;
alter table executions add column attempt integer;
alter table executions add column attempts_max integer;
alter table executions add column started_at timestamptz;
comment on column executions.attempt is 'How often it was begun; what did not run does not count.';
comment on column executions.started_at is 'When the last attempt was begun.';

create table execution_queue (
  execution       text        not null primary key references executions (id) on delete cascade,
  project         text        not null,
  priority        smallint    not null,
  ready_at        timestamptz not null,
  backoff_ms      bigint      not null,
  backoff_ms_max  bigint      not null,
  deferrals       integer     not null default 0,
  token           text        not null,
  principal_kind  text        not null,
  source_address  text        not null,
  base_url        text        not null,
  input           text        not null,
  claimed_by      text,
  claimed_at      timestamptz
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
comment on table execution_queue is 'Work that has not ended: one row for each execution that is queued or was and runs. Its input is gone with its end.';
comment on column execution_queue.token is 'Whose rights are looked at again before each start.';
comment on column execution_queue.deferrals is 'How often it went back without having run, for want of a worker.';
-- What can be claimed, project by project.
create index execution_queue_ready on execution_queue (project, priority desc, ready_at, execution) where claimed_by is null;
create index execution_queue_project on execution_queue (project);
create index execution_queue_claims on execution_queue (claimed_by) where claimed_by is not null;

-- Whoever waits for work hears of it. What is lost on the way, the servers find when they look at intervals.
create function execution_queue_told() returns trigger language plpgsql as $$
begin
  perform pg_notify('plane_execution_queue', '');
  return null;
end
$$;
create trigger execution_queue_told after insert on execution_queue for each statement execute function execution_queue_told();

-- The answers of executions whose callers did not wait for them.
create table execution_results (
  execution    text        not null primary key references executions (id) on delete cascade,
  http_status  integer     not null,
  envelope     text        not null,
  expires_at   timestamptz not null
);
create index execution_results_expiry on execution_results (expires_at);
