-- An alarm for a stream whose end, or all of it, is not in the log although who wrote it says so (executions, audit_stream_heads).
ALTER TABLE audit_alarms DROP CONSTRAINT audit_alarms_kind_check,
    ADD CONSTRAINT audit_alarms_kind_check CHECK (kind IN ('conflict', 'broken_chain', 'gap', 'unreadable', 'missing'));
