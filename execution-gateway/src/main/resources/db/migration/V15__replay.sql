-- Inputs that callers asked to keep, so that an execution can be run again with its own; and what was run so.
alter table executions add column replay_of text;

create table execution_inputs (
  execution   text        not null primary key references executions (id) on delete cascade,
  input       text        not null,
  expires_at  timestamptz not null
);
create index execution_inputs_expiry on execution_inputs (expires_at);
