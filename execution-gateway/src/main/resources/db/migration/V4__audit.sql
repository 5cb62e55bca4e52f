-- The audit pipeline: records wait in the outbox, go through Kafka and end in audit_events.

-- Records that were written with what they record and are not yet known to be in audit_events.
CREATE TABLE audit_outbox (
    position     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           text        NOT NULL,
    tenant       text        NOT NULL,
    stream       text        NOT NULL,
    sequence     bigint      NOT NULL CHECK (sequence > 0),
    type         text        NOT NULL,
    hash         text        NOT NULL,
    canonical    text        NOT NULL,
    bytes        integer     NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz,
    -- Two writers of one stream must fail, not fork the chain.
    UNIQUE (stream, sequence)
);
CREATE INDEX audit_outbox_unpublished ON audit_outbox (position) WHERE published_at IS NULL;
CREATE INDEX audit_outbox_published ON audit_outbox (published_at) WHERE published_at IS NOT NULL;

-- Where each tenant's control stream stands; the row's lock orders the writers. (An execution's stream stands in its own row.)
CREATE TABLE audit_stream_heads (
    stream   text   PRIMARY KEY,
    sequence bigint NOT NULL,
    hash     text
);

-- The log. The key holds the stream, so that it can become partitions by stream without changing the key.
CREATE TABLE audit_events (
    stream        text        NOT NULL,
    sequence      bigint      NOT NULL,
    id            text        NOT NULL,
    tenant        text        NOT NULL,
    workspace     text,
    project       text,
    type          text        NOT NULL,
    time          timestamptz NOT NULL,
    principal     text,
    execution     text,
    capability    text,
    decision      text,
    decision_id   text,
    policy        text,
    hash          text        NOT NULL,
    prev          text        NOT NULL,
    canonical     text        NOT NULL,
    stored_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stream, sequence)
);
-- One for each filter of the query; all end in the order of its pages.
CREATE INDEX audit_events_time       ON audit_events (tenant, time, id);
CREATE INDEX audit_events_principal  ON audit_events (tenant, principal, time, id) WHERE principal IS NOT NULL;
CREATE INDEX audit_events_type       ON audit_events (tenant, type, time, id);
CREATE INDEX audit_events_capability ON audit_events (tenant, capability, time, id) WHERE capability IS NOT NULL;
CREATE INDEX audit_events_decision   ON audit_events (tenant, decision, time, id) WHERE decision IS NOT NULL;

-- What must never happen and did: kept until somebody has looked. A gap resolves itself when the missing record arrives.
CREATE TABLE audit_alarms (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text        NOT NULL CHECK (kind IN ('conflict', 'broken_chain', 'gap', 'unreadable')),
    stream      text        NOT NULL,
    sequence    bigint      NOT NULL,
    stored_hash text        NOT NULL,
    found_hash  text        NOT NULL,
    detail      text        NOT NULL,
    raised_at   timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    UNIQUE (kind, stream, sequence, found_hash)
);
CREATE INDEX audit_alarms_open ON audit_alarms (kind, raised_at) WHERE resolved_at IS NULL;

-- Usage by day, from the telemetry topic. Each finished execution counts once, however often its message comes.
CREATE TABLE usage_executions (
    execution text PRIMARY KEY,
    day       date NOT NULL
);
CREATE INDEX usage_executions_day ON usage_executions (day);
CREATE TABLE usage_daily (
    day           date   NOT NULL,
    tenant        text   NOT NULL,
    workspace     text   NOT NULL,
    project       text   NOT NULL,
    status        text   NOT NULL,
    executions    bigint NOT NULL,
    cpu_ms        bigint NOT NULL,
    wall_ms       bigint NOT NULL,
    max_rss_bytes bigint NOT NULL,
    PRIMARY KEY (day, tenant, workspace, project, status)
);
