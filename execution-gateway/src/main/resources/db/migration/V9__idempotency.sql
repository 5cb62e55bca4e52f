-- Keys that callers gave their requests, so that a request sent again is not done again.
create table idempotency_keys (
  project      text        not null,
  principal    text        not null,
  key          text        not null,
  fingerprint  text        not null,
  execution    text        not null,
  expires_at   timestamptz not null,
  http_status  integer,
  envelope     text,
  primary key (project, principal, key),
  check ((http_status is null) = (envelope is null))
);
comment on table idempotency_keys is 'Written with the admission of the execution that a key stands for; the answer is added with its end.';
create index idempotency_keys_expiry on idempotency_keys (expires_at);
