-- Statistics that nothing asks for, as in V7: while a database is young, ANALYZE of the two largest tables took up to a fifth of PostgreSQL's
-- time, most of it in columns that no query finds rows by. And its snapshot keeps what was queued and has gone in the way of claims.
ALTER TABLE executions
    ALTER COLUMN workspace SET STATISTICS 0,
    ALTER COLUMN environment SET STATISTICS 0,
    ALTER COLUMN snapshot_digest SET STATISTICS 0,
    ALTER COLUMN snapshot_id SET STATISTICS 0,
    ALTER COLUMN bundle SET STATISTICS 0,
    ALTER COLUMN action SET STATISTICS 0,
    ALTER COLUMN capability_kind SET STATISTICS 0,
    ALTER COLUMN traceparent SET STATISTICS 0,
    ALTER COLUMN idempotency_key SET STATISTICS 0,
    ALTER COLUMN arguments_digest SET STATISTICS 0,
    ALTER COLUMN timeout_ms SET STATISTICS 0,
    ALTER COLUMN decision_id SET STATISTICS 0,
    ALTER COLUMN policy_digest SET STATISTICS 0,
    ALTER COLUMN requested_at SET STATISTICS 0,
    ALTER COLUMN finished_at SET STATISTICS 0,
    ALTER COLUMN http_status SET STATISTICS 0,
    ALTER COLUMN error_code SET STATISTICS 0,
    ALTER COLUMN error_message SET STATISTICS 0,
    ALTER COLUMN result_digest SET STATISTICS 0,
    ALTER COLUMN cpu_ms SET STATISTICS 0,
    ALTER COLUMN wall_ms SET STATISTICS 0,
    ALTER COLUMN max_rss_bytes SET STATISTICS 0,
    ALTER COLUMN isolation SET STATISTICS 0,
    ALTER COLUMN worker SET STATISTICS 0,
    ALTER COLUMN audit_sequence SET STATISTICS 0,
    ALTER COLUMN audit_hash SET STATISTICS 0,
    ALTER COLUMN priority SET STATISTICS 0,
    ALTER COLUMN start_at SET STATISTICS 0,
    ALTER COLUMN attempt SET STATISTICS 0,
    ALTER COLUMN attempts_max SET STATISTICS 0,
    ALTER COLUMN started_at SET STATISTICS 0,
    ALTER COLUMN replay_of SET STATISTICS 0;
ALTER TABLE execution_results
    ALTER COLUMN http_status SET STATISTICS 0,
    ALTER COLUMN envelope SET STATISTICS 0;
ALTER TABLE audit_events
    ALTER COLUMN workspace SET STATISTICS 0,
    ALTER COLUMN stored_at SET STATISTICS 0;

-- What is left is looked up by keys: a sample of 9,000 rows says as much about them as one of 30,000.
ALTER TABLE executions
    ALTER COLUMN id SET STATISTICS 30,
    ALTER COLUMN tenant SET STATISTICS 30,
    ALTER COLUMN project SET STATISTICS 30,
    ALTER COLUMN capability_name SET STATISTICS 30,
    ALTER COLUMN principal SET STATISTICS 30,
    ALTER COLUMN request_id SET STATISTICS 30,
    ALTER COLUMN status SET STATISTICS 30,
    ALTER COLUMN incarnation SET STATISTICS 30;
ALTER TABLE audit_events
    ALTER COLUMN stream SET STATISTICS 30,
    ALTER COLUMN sequence SET STATISTICS 30,
    ALTER COLUMN id SET STATISTICS 30,
    ALTER COLUMN tenant SET STATISTICS 30,
    ALTER COLUMN project SET STATISTICS 30,
    ALTER COLUMN type SET STATISTICS 30,
    ALTER COLUMN time SET STATISTICS 30,
    ALTER COLUMN principal SET STATISTICS 30,
    ALTER COLUMN execution SET STATISTICS 30,
    ALTER COLUMN capability SET STATISTICS 30,
    ALTER COLUMN decision SET STATISTICS 30;
