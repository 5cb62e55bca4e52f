-- A schedule may have one due time wait until its earlier run has ended.

alter table schedules drop constraint schedules_overlap_check;
alter table schedules add constraint schedules_overlap_check check (overlap in ('allow', 'forbid', 'replace', 'queue'));
alter table schedules add column waiting_at timestamptz;
comment on column schedules.waiting_at is 'The due time that waits for an earlier run to end. One at most: others that come meanwhile are skipped.';
create index schedules_waiting on schedules (waiting_at) where waiting_at is not null;
