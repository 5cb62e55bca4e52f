-- The log's records are between one and three kilobytes. By default PostgreSQL compresses rows of more than two and moves what is
-- still too large out of the table, which spares a third of the space and costs each call more than keeping its four records does.
-- Rows of more than half a page are compressed as before.
ALTER TABLE audit_events SET (toast_tuple_target = 4080);
