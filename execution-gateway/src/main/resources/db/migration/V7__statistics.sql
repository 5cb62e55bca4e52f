-- Statistics that nothing asks for. Each ANALYZE reads a sample of rows with all that is wide in them, and on a busy server that
-- cost more than many a statement.

-- The outbox is read by its keys alone, and is another table every few seconds: what is known about it is never true.
ALTER TABLE audit_outbox SET (autovacuum_analyze_threshold = 2000000000, autovacuum_analyze_scale_factor = 0);

-- No query has a condition on these.
ALTER TABLE audit_events
    ALTER COLUMN canonical SET STATISTICS 0,
    ALTER COLUMN hash SET STATISTICS 0,
    ALTER COLUMN prev SET STATISTICS 0,
    ALTER COLUMN decision_id SET STATISTICS 0,
    ALTER COLUMN policy SET STATISTICS 0;
