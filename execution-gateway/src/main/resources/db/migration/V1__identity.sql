-- Who may be here: tenants, their workspaces and projects, principals, what they may do, and their tokens.
-- Every row below a tenant names the tenant, and foreign keys carry it along: a row cannot point across the border.

CREATE TABLE tenants (
    id         text PRIMARY KEY,
    slug       text NOT NULL UNIQUE,
    name       text NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE workspaces (
    id         text PRIMARY KEY,
    tenant_id  text NOT NULL REFERENCES tenants (id),
    slug       text NOT NULL,
    name       text NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (tenant_id, slug),
    UNIQUE (tenant_id, id)
);

CREATE TABLE projects (
    id           text PRIMARY KEY,
    tenant_id    text NOT NULL REFERENCES tenants (id),
    workspace_id text NOT NULL,
    slug         text NOT NULL,
    name         text NOT NULL,
    -- One JSON object; what it may hold is checked by the application.
    settings     text NOT NULL,
    created_at   timestamptz NOT NULL,
    UNIQUE (workspace_id, slug),
    UNIQUE (tenant_id, workspace_id, id),
    FOREIGN KEY (tenant_id, workspace_id) REFERENCES workspaces (tenant_id, id)
);

CREATE TABLE principals (
    id          text PRIMARY KEY,
    tenant_id   text NOT NULL REFERENCES tenants (id),
    kind        text NOT NULL CHECK (kind IN ('user', 'service')),
    name        text NOT NULL,
    email       text,
    created_at  timestamptz NOT NULL,
    disabled_at timestamptz,
    UNIQUE (tenant_id, id),
    CHECK ((kind = 'user') = (email IS NOT NULL))
);
CREATE UNIQUE INDEX principals_email ON principals (tenant_id, email);
CREATE UNIQUE INDEX principals_service_name ON principals (tenant_id, name) WHERE kind = 'service';

-- A role for the whole tenant, for one workspace, or for one project.
CREATE TABLE role_grants (
    id           text PRIMARY KEY,
    tenant_id    text NOT NULL,
    principal_id text NOT NULL,
    role         text NOT NULL,
    workspace_id text,
    project_id   text,
    created_at   timestamptz NOT NULL,
    CHECK (project_id IS NULL OR workspace_id IS NOT NULL),
    UNIQUE NULLS NOT DISTINCT (principal_id, role, workspace_id, project_id),
    FOREIGN KEY (tenant_id, principal_id) REFERENCES principals (tenant_id, id),
    FOREIGN KEY (tenant_id, workspace_id) REFERENCES workspaces (tenant_id, id),
    FOREIGN KEY (tenant_id, workspace_id, project_id) REFERENCES projects (tenant_id, workspace_id, id)
);
CREATE INDEX role_grants_tenant ON role_grants (tenant_id, principal_id);

-- The token itself is nowhere: only its SHA-256. It is 178 random bits, so there is nothing to guess that a slow hash
-- would protect, and a hash that is the same each time can be looked up by index.
CREATE TABLE tokens (
    id           text PRIMARY KEY,
    tenant_id    text NOT NULL,
    principal_id text NOT NULL,
    name         text NOT NULL,
    kind         text NOT NULL,
    hash         text NOT NULL UNIQUE,
    -- Space-separated; an empty list allows nothing.
    scopes       text NOT NULL,
    -- Space-separated; the token carries those of its principal's roles that are listed here.
    roles        text NOT NULL,
    workspace_id text,
    project_id   text,
    created_at   timestamptz NOT NULL,
    created_by   text,
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    CHECK (project_id IS NULL OR workspace_id IS NOT NULL),
    FOREIGN KEY (tenant_id, principal_id) REFERENCES principals (tenant_id, id),
    FOREIGN KEY (tenant_id, workspace_id) REFERENCES workspaces (tenant_id, id),
    FOREIGN KEY (tenant_id, workspace_id, project_id) REFERENCES projects (tenant_id, workspace_id, id)
);
CREATE INDEX tokens_principal ON tokens (tenant_id, principal_id);
