package io.aiel.plane.gateway.mcp;

import io.aiel.plane.gateway.execution.Caller;
import java.util.Optional;

/**
 * What a message was sent to, and by whom.
 *
 * @param server the MCP server of the project; empty for the endpoint with all of the project's tools
 */
record Endpoint(Caller caller, Optional<String> server) {}
