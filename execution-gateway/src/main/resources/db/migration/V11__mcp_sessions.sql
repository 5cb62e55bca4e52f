-- Sessions of MCP clients: which client a cancellation is of. Not a proof of anything; each request has its token.
create table mcp_sessions (
  id         text        not null primary key,
  project    text        not null,
  principal  text        not null,
  server     text        not null,
  used_at    timestamptz not null default clock_timestamp()
);
comment on column mcp_sessions.server is 'Empty for the endpoint with all tools of the project.';
create index mcp_sessions_of on mcp_sessions (project, principal, used_at);
create index mcp_sessions_unused on mcp_sessions (used_at);
