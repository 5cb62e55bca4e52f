package io.aiel.plane.gateway.http;

import io.aiel.plane.vocabulary.Ids;
import io.aiel.plane.vocabulary.TokenText;
import io.quarkus.vertx.http.runtime.filters.Filters;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.util.HexFormat;
import java.util.concurrent.ThreadLocalRandom;
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
    private static final String TRACE_KEY = "plane.traceparent";
    private static final int CHARACTERS_MAX = 128;
    private static final String SANE = "._:/+=@-";
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

    /** The id of a request whose sender calls it so; null when he calls it nothing. */
    public static String choose(@Nullable String sent) {
        return sent != null && isSane(sent) && !TokenText.isIn(sent) ? sent : Ids.create("req");
    }

    private static boolean isSane(String sent) {
        for (int i = 0; i < sent.length(); i++) {
            char c = sent.charAt(i);
            boolean letterOrDigit = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
            if (!letterOrDigit && SANE.indexOf(c) < 0) {
                return false;
            }
        }
        return !sent.isEmpty() && sent.length() <= CHARACTERS_MAX;
    }

    /**
     * The W3C trace context of a request that nothing traces: the caller's trace, else one of our own, with a span id of our own in
     * either case. The same for the whole request.
     */
    static String traceparent(RoutingContext routing) {
        @Nullable String known = routing.get(TRACE_KEY);
        if (known != null) {
            return known;
        }
        String own = ownTraceparent(routing.request().getHeader("traceparent"));
        routing.put(TRACE_KEY, own);
        return own;
    }

    /** The same for a request that came with this; null when it came with nothing. */
    public static String ownTraceparent(@Nullable String header) {
        String sent = traceparent(header);
        String trace = sent.isEmpty() ? hex() + hex() : sent.substring(3, 35);
        return "00-" + trace + "-" + hex() + "-00";
    }

    /** Sixteen random hex digits, not all of them 0. */
    private static String hex() {
        return HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong(1, Long.MAX_VALUE));
    }

    static String traceparent(@Nullable String sent) {
        return sent != null && TRACEPARENT.matcher(sent).matches() ? sent : "";
    }
}
