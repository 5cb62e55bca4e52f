-- Executions that are begun again and again. What is due is claimed by whichever server looks, and put into the queue under a key of its own.

create table schedules (
  id                 text        not null primary key,
  tenant             text        not null,
  workspace          text        not null,
  project            text        not null references projects (id) on delete cascade,
  name               text        not null,
  cron               text        not null,
  time_zone          text        not null,
  request            text        not null,
  capability_kind    text,
  capability_name    text,
  overlap            text        not null check (overlap in ('allow', 'forbid', 'replace')),
  catch_up           text        not null check (catch_up in ('none', 'last', 'all')),
  catch_up_window_s  integer     not null,
  paused             boolean     not null,
  principal          text        not null,
  principal_kind     text        not null,
  token              text        not null,
  source_address     text        not null,
  base_url           text        not null,
  revision           bigint      not null default 1,
  created_at         timestamptz not null,
  updated_at         timestamptz not null,
  next_at            timestamptz,
  claimed_until      timestamptz
);
comment on column schedules.request is 'What a caller sends, as in the queue: in no record, shown to its principal only.';
comment on column schedules.token is 'Whose rights are looked at before each run.';
comment on column schedules.next_at is 'Null while it is paused, and when it is never due again.';
create index schedules_of_project on schedules (project, id);
create index schedules_due on schedules (next_at) where next_at is not null;

-- One row for each due time that was dealt with. No reference to the schedule: a schedule that is deleted at that moment must not cost
-- the admission of others in the same statement.
create table schedule_runs (
  schedule   text        not null,
  due_at     timestamptz not null,
  outcome    text        not null check (outcome in ('queued', 'denied', 'refused', 'skipped', 'missed')),
  execution  text,
  code       text,
  at         timestamptz not null,
  primary key (schedule, due_at)
);
create index schedule_runs_of_execution on schedule_runs (execution) where execution is not null;
