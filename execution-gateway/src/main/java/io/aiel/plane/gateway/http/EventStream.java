package io.aiel.plane.gateway.http;

import io.aiel.plane.gateway.execution.EventSource;
import io.vertx.core.http.HttpMethod;
import io.vertx.ext.web.RoutingContext;
import jakarta.ws.rs.core.HttpHeaders;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.time.Duration;

/**
 * An answer of server-sent events (WHATWG HTML, section 9.2). Whoever makes one owns its source until the answer is written, and
 * {@link EventStreamWriter} from then on.
 *
 * @param source of the events
 * @param heartbeat after so much silence a comment is sent, so that proxies between hold the connection
 * @param retry after which a client that lost the connection should come again; zero when it cannot
 */
public record EventStream(EventSource source, Duration heartbeat, Duration retry) {
    /** The whole answer; nobody between may keep it, or hold it back to send it at once. */
    public Response.ResponseBuilder response() {
        return Response.ok(this, MediaType.SERVER_SENT_EVENTS_TYPE)
                .header(HttpHeaders.CACHE_CONTROL, "no-store")
                .header("X-Accel-Buffering", "no");
    }

    /**
     * Whether a client would rather have a stream than JSON: the first of the two that it names, by weight, or covers. Who asks for the head
     * alone has nothing of one.
     */
    static boolean isWanted(RoutingContext routing, HttpHeaders headers) {
        if (routing.request().method().equals(HttpMethod.HEAD)) {
            return false;
        }
        for (MediaType accepted : headers.getAcceptableMediaTypes()) {
            if (accepted.isCompatible(MediaType.APPLICATION_JSON_TYPE)) {
                return false;
            }
            if (accepted.isCompatible(MediaType.SERVER_SENT_EVENTS_TYPE)) {
                return true;
            }
        }
        return false;
    }
}
