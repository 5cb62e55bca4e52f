package io.aiel.plane.gateway.mcp;

/** The names under which the plane says something in a {@code _meta} of the protocol, or reads something there. */
final class Meta {
    /** In a call's result: the execution that it was. */
    static final String EXECUTION_ID = "io.aiel.plane/execution_id";

    /** In a result with {@code isError}: the code of the plane's errors. */
    static final String ERROR_CODE = "io.aiel.plane/error_code";

    /** In a result with {@code isError}: when to try again, whole seconds. */
    static final String RETRY_AFTER = "io.aiel.plane/retry_after_seconds";

    /** In a call: how long it may take, milliseconds. */
    static final String TIMEOUT_MS = "io.aiel.plane/timeout_ms";

    /** Of a tool: over its names and schemas. */
    static final String CONTRACT_DIGEST = "io.aiel.plane/contract_digest";

    /** Of a tool: as its author numbers it. */
    static final String VERSION = "io.aiel.plane/version";

    /** Of a tool: as its author tagged it. */
    static final String TAGS = "io.aiel.plane/tags";

    /** In a request, from 2026-07-28 on: the revision that it is made by. */
    static final String PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion";

    /** In a request, from 2026-07-28 on: what its client can do. */
    static final String CLIENT_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities";

    /** In a result, from 2026-07-28 on: who answers. */
    static final String SERVER_INFO = "io.modelcontextprotocol/serverInfo";

    private Meta() {}
}
