/**
 * The Model Context Protocol over Streamable HTTP: a project's tools for clients that speak it. Turns {@code tools/call} into a runner
 * request and its answer into a tool's result; whether something may run, and the record of it, is
 * {@link io.aiel.plane.gateway.execution}'s alone. The door is {@link io.aiel.plane.gateway.mcp.McpResource}.
 */
@NullMarked
package io.aiel.plane.gateway.mcp;

import org.jspecify.annotations.NullMarked;
