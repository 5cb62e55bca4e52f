package io.aiel.plane.gateway.http;

import io.aiel.plane.vocabulary.ErrorCode;
import io.quarkus.runtime.configuration.MemorySize;
import io.quarkus.vertx.http.runtime.filters.Filters;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.util.Map;
import org.eclipse.microprofile.config.inject.ConfigProperty;

/**
 * Refuses a body that says itself that it is too large, before a byte of it is read. The framework would do so too, but without
 * a problem document; it remains the one that stops a body of unannounced length.
 */
@Singleton
final class BodyLimit {
    private static final int AFTER_REQUEST_ID = 9_500;

    private final long bytesMax;

    BodyLimit(@ConfigProperty(name = "quarkus.http.limits.max-body-size") MemorySize max) {
        this.bytesMax = max.asLongValue();
    }

    void register(@Observes Filters filters) {
        filters.register(this::check, AFTER_REQUEST_ID);
    }

    private void check(RoutingContext routing) {
        String announced = routing.request().getHeader("Content-Length");
        if (announced == null || !tooLarge(announced)) {
            routing.next();
            return;
        }
        // What the caller goes on to send is nobody's any more: the connection ends with the answer.
        routing.response().endHandler(_ -> {
            var _ = routing.request().connection().close();
        });
        Problems.write(
                routing,
                new Refusal(
                                ErrorCode.PAYLOAD_TOO_LARGE,
                                "The request's body is larger than this server accepts.",
                                Map.of("bytes_max", bytesMax))
                        .withHeader("Connection", "close"));
    }

    private boolean tooLarge(String announced) {
        try {
            return Long.parseLong(announced) > bytesMax;
        } catch (NumberFormatException e) {
            // Not a length: the HTTP codec refuses such a request by itself.
            return false;
        }
    }
}
