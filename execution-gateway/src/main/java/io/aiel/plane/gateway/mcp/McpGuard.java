package io.aiel.plane.gateway.mcp;

import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.vertx.ext.web.RoutingContext;
import jakarta.ws.rs.Priorities;
import jakarta.ws.rs.container.ContainerRequestContext;
import jakarta.ws.rs.container.ContainerResponseContext;
import jakarta.ws.rs.core.HttpHeaders;
import java.util.List;
import org.jboss.resteasy.reactive.server.ServerRequestFilter;
import org.jboss.resteasy.reactive.server.ServerResponseFilter;

/**
 * What holds for MCP before it is known who calls: where the request may come from (transports, section Security Warning), and where a
 * caller without a token learns how to get one (RFC 9728, section 5.1). Runs on the event loop.
 */
public class McpGuard {
    private static final int BEFORE_AUTHENTICATION = Priorities.AUTHENTICATION - 100;
    private static final int UNAUTHORIZED = 401;

    private final Hosts hosts;
    private final RoutingContext routing;

    McpGuard(McpConfig config, RoutingContext routing) {
        this.hosts = new Hosts(config.hosts(), config.origins().orElse(List.of()));
        this.routing = routing;
    }

    /** Refuses what comes by a name that is not ours, or from a page that is not ours. */
    @ForMcp
    @ServerRequestFilter(priority = BEFORE_AUTHENTICATION)
    public void guard(ContainerRequestContext request) {
        String host = routing.request().getHeader(HttpHeaders.HOST);
        if (host == null || !hosts.allowsHost(host)) {
            throw new Refusal(
                    ErrorCode.PERMISSION_DENIED,
                    "MCP is not served under this Host; an operator names it in plane.mcp.hosts.");
        }
        for (String origin : routing.request().headers().getAll("Origin")) {
            if (!hosts.allowsOrigin(origin, ownOrigin(routing))) {
                throw new Refusal(
                        ErrorCode.PERMISSION_DENIED,
                        "Pages of this Origin may not call MCP; an operator names it in plane.mcp.origins.");
            }
        }
    }

    /** Names the metadata of the resource to whoever came without a valid token. */
    @ForMcp
    @ServerResponseFilter
    public void challenge(ContainerResponseContext response) {
        if (response.getStatus() == UNAUTHORIZED) {
            response.getHeaders()
                    .putSingle(
                            HttpHeaders.WWW_AUTHENTICATE,
                            "Bearer resource_metadata=\"" + ProtectedResource.metadataOf(routing) + "\", scope=\""
                                    + ProtectedResource.SCOPES + "\"");
        }
    }

    /** Scheme, host and port as the request named them. */
    static String ownOrigin(RoutingContext routing) {
        return routing.request().scheme() + "://" + routing.request().getHeader(HttpHeaders.HOST);
    }
}
