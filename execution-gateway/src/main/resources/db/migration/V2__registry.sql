-- What projects hold (files), what was sealed of it (snapshots), what is current where (deployments), what can be invoked.

-- One row per installation; every node signs and checks URLs with it. The key never leaves the plane.
CREATE TABLE registry_keys (
    id         text PRIMARY KEY,
    secret     bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Content, by its own address; shared by all files and snapshots. Whoever may read a file or snapshot may read its blobs, and
-- nobody reads a blob without one of these, so a known hash gives no access.
CREATE TABLE blobs (
    digest     text PRIMARY KEY,
    size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
    bytes      bytea NOT NULL,
    -- When it was last uploaded; an unused blob is swept only some time after that.
    stored_at  timestamptz NOT NULL DEFAULT now(),
    CHECK (length(bytes) = size_bytes)
);

-- A project's working tree as a whole. Every change of its files locks this row, so that changes of one project follow each
-- other and limits hold exactly.
CREATE TABLE project_trees (
    project_id      text PRIMARY KEY,
    tenant_id       text NOT NULL,
    workspace_id    text NOT NULL,
    file_count      bigint NOT NULL CHECK (file_count >= 0),
    size_bytes      bigint NOT NULL CHECK (size_bytes >= 0),
    -- Counts changes; the tree has unsealed ones when it is ahead of sealed_revision.
    revision        bigint NOT NULL,
    sealed_revision bigint NOT NULL CHECK (sealed_revision <= revision),
    -- The snapshot that sealed_revision became, valid or not.
    sealed_digest   text,
    -- When it may be sealed by itself: pushed forward by each change, and after a validation that could not be done.
    seal_after      timestamptz NOT NULL,
    -- Who changed it last, under which request: a seal that nobody asked for is recorded as caused by that.
    changed_by      text,
    request_id      text NOT NULL,
    traceparent     text NOT NULL,
    -- One seal at a time: whoever holds the lease; it runs out, so that a node that dies does not hold it for ever.
    lease           text,
    lease_until     timestamptz,
    FOREIGN KEY (tenant_id, workspace_id, project_id) REFERENCES projects (tenant_id, workspace_id, id)
);
CREATE INDEX project_trees_unsealed ON project_trees (seal_after) WHERE revision > sealed_revision;

-- A deleted file stays as a row, so that the versions of its path go on counting and an old expectation cannot fit by chance.
CREATE TABLE project_files (
    id           text PRIMARY KEY,
    project_id   text NOT NULL REFERENCES project_trees (project_id),
    path         text COLLATE "C" NOT NULL,
    -- The path with its letter case taken out: two files must not differ in case alone.
    folded       text COLLATE "C" NOT NULL,
    version      bigint NOT NULL CHECK (version > 0),
    digest       text NOT NULL REFERENCES blobs (digest),
    size_bytes   bigint NOT NULL,
    content_type text NOT NULL,
    deleted      boolean NOT NULL,
    updated_at   timestamptz NOT NULL,
    updated_by   text,
    UNIQUE (project_id, path)
);
CREATE UNIQUE INDEX project_files_folded ON project_files (project_id, folded) WHERE NOT deleted;
CREATE INDEX project_files_digest ON project_files (digest);

CREATE TABLE uploads (
    id               text PRIMARY KEY,
    project_id       text NOT NULL,
    tenant_id        text NOT NULL,
    workspace_id     text NOT NULL,
    path             text NOT NULL,
    -- Null when the signer named none; then the commit must.
    expected_version bigint,
    size_bytes       bigint NOT NULL,
    digest           text NOT NULL,
    content_type     text NOT NULL,
    state            text NOT NULL CHECK (state IN ('open', 'stored', 'committed')),
    -- Set when committed.
    version          bigint,
    created_by       text,
    created_at       timestamptz NOT NULL,
    touched_at       timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, workspace_id, project_id) REFERENCES projects (tenant_id, workspace_id, id)
);
CREATE INDEX uploads_project ON uploads (project_id, touched_at) WHERE state <> 'committed';
CREATE INDEX uploads_expiry ON uploads (expires_at);
CREATE INDEX uploads_digest ON uploads (digest);

-- Sealed trees. A row never changes.
CREATE TABLE snapshots (
    id              text PRIMARY KEY,
    tenant_id       text NOT NULL,
    workspace_id    text NOT NULL,
    project_id      text NOT NULL,
    -- Over the canonical manifest.
    digest          text NOT NULL,
    snapshot_id     text NOT NULL,
    -- Over the files alone.
    tree_digest     text NOT NULL,
    bundle          text NOT NULL,
    sdk_version     text NOT NULL,
    runtime_version text NOT NULL,
    valid           boolean NOT NULL,
    -- JSON array; empty when valid.
    findings        text NOT NULL,
    -- The canonical manifest, exactly the bytes that the digest is over.
    manifest        text NOT NULL,
    file_count      bigint NOT NULL,
    size_bytes      bigint NOT NULL,
    created_at      timestamptz NOT NULL,
    created_by      text,
    UNIQUE (project_id, digest),
    FOREIGN KEY (tenant_id, workspace_id, project_id) REFERENCES projects (tenant_id, workspace_id, id)
);
CREATE INDEX snapshots_content ON snapshots (project_id, tree_digest, bundle);
CREATE INDEX snapshots_digest ON snapshots (digest);

CREATE TABLE snapshot_files (
    id          text PRIMARY KEY,
    snapshot    text NOT NULL REFERENCES snapshots (id),
    path        text COLLATE "C" NOT NULL,
    digest      text NOT NULL REFERENCES blobs (digest),
    size_bytes  bigint NOT NULL,
    UNIQUE (snapshot, path)
);
CREATE INDEX snapshot_files_digest ON snapshot_files (digest);

CREATE TABLE capabilities (
    id              text PRIMARY KEY,
    snapshot        text NOT NULL REFERENCES snapshots (id),
    kind            text NOT NULL,
    name            text NOT NULL,
    contract_digest text NOT NULL,
    -- One element of the manifest's exports.
    document        text NOT NULL,
    UNIQUE (snapshot, kind, name)
);

-- Acts of making a snapshot current. Rows are only added; the newest of an environment is what is current there.
CREATE TABLE deployments (
    id           text PRIMARY KEY,
    tenant_id    text NOT NULL,
    workspace_id text NOT NULL,
    project_id   text NOT NULL,
    environment  text NOT NULL,
    -- Counts the environment's deployments from 1; unique, so that two at once cannot both be the newest.
    sequence     bigint NOT NULL CHECK (sequence > 0),
    digest       text NOT NULL,
    snapshot_id  text NOT NULL,
    cause        text NOT NULL CHECK (cause IN ('push', 'deploy', 'rollback')),
    -- For a rollback: the deployment whose snapshot it brought back.
    restores     text REFERENCES deployments (id),
    created_at   timestamptz NOT NULL,
    created_by   text,
    UNIQUE (project_id, environment, sequence),
    FOREIGN KEY (project_id, digest) REFERENCES snapshots (project_id, digest)
);
