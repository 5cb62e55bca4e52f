package io.aiel.plane.gateway.http;

import io.aiel.plane.vocabulary.Ids;
import io.quarkus.vertx.http.runtime.filters.Filters;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Gives each request an id before anything else happens and writes it into the response: the caller's, when it can be put into
 * logs and records without harm, else a new one.
 */
@Singleton
public final class RequestIds {
    /** The header, both ways. */
    public static final String HEADER = "X-Request-Id";

    /** Runs before all other filters, so that even their refusals carry an id. */
    static final int FIRST = 10_000;

    private static final String KEY = "plane.request-id";
    private static final Pattern SANE = Pattern.compile("[A-Za-z0-9._:/+=@-]{1,128}");
    private static final Pattern TRACEPARENT =
            Pattern.compile("00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}");

    void register(@Observes Filters filters) {
        filters.register(
                routing -> {
                    String id = choose(routing.request().getHeader(HEADER));
                    routing.put(KEY, id);
                    routing.response().putHeader(HEADER, id);
                    routing.next();
                },
                FIRST);
    }

    /** The id of this request. */
    public static String of(RoutingContext routing) {
        String id = routing.get(KEY);
        return id == null ? "" : id;
    }

    static String choose(@Nullable String sent) {
        return sent != null && SANE.matcher(sent).matches() ? sent : Ids.create("req");
    }

    static String traceparent(@Nullable String sent) {
        return sent != null && TRACEPARENT.matcher(sent).matches() ? sent : "";
    }
}
