/** Tests of MCP that need no server. */
@NullMarked
package io.aiel.plane.gateway.mcp;

import org.jspecify.annotations.NullMarked;
