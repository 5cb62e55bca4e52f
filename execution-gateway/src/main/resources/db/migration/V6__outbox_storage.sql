-- The outbox is a queue: a row lives for milliseconds, and tables that live so must be kept small by the vacuum, not by luck.
ALTER TABLE audit_outbox SET (
    -- By number and not by share: the table is small when all is well, and a share of nothing is nothing.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0,
    -- A decision's record is just over the size from which PostgreSQL compresses and moves a value away, which costs more
    -- than it spares for a row that is deleted at once.
    toast_tuple_target = 8160
);
