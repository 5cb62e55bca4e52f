-- Wishes that running executions stop, for whichever server runs them.
create table execution_cancellations (
  execution  text        not null primary key references executions (id) on delete cascade,
  asked_at   timestamptz not null default clock_timestamp()
);
