package io.aiel.plane.gateway.mcp;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** How MCP is served. */
@ConfigMapping(prefix = "plane.mcp")
public interface McpConfig {
    /** The names, without port, under which MCP clients reach this server; {@code *} for any, where something in front checks. */
    @WithDefault("localhost,127.0.0.1,[::1]")
    List<String> hosts();

    /** Origins such as {@code https://app.example.com} whose pages may call beside the server's own; absent means none. */
    Optional<List<String>> origins();

    /** The authorization servers that the protected-resource metadata names; absent means none, as the plane makes its own tokens. */
    Optional<List<String>> authorizationServers();

    /** How long a session is kept without a request. */
    @WithDefault("24H")
    Duration sessionIdle();

    /** Sessions of one principal in one project; with one more, the one longest unused ends. */
    @WithDefault("100")
    int sessionsMax();

    /** Calls of one session that run at once. */
    @WithDefault("32")
    int callsMax();

    /** How long one statement about sessions may take. */
    @WithDefault("1500ms")
    Duration statementTimeout();

    /** Tools that one page of {@code tools/list} looks at. */
    @WithDefault("100")
    int pageMax();
}
