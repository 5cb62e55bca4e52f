package io.aiel.plane.gateway.http;

import io.aiel.plane.vocabulary.ErrorCode;
import io.quarkus.vertx.http.runtime.filters.Filters;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Refuses requests that could be read in two ways, before anything reads them: a target that is not a plain path, percent-encoding
 * that is no UTF-8 or hides a control character, two hosts. What is read here in one way and in front of or behind us in another is
 * what attacks on paths are made of. Runs on the event loop.
 */
@Singleton
final class StrictRequests {
    private static final int AFTER_REQUEST_ID = 9_900;
    private static final int BEFORE_ALL_OTHERS = -2_000_000;

    private final AllowedMethods allowed;

    StrictRequests(AllowedMethods allowed) {
        this.allowed = allowed;
    }

    void register(@Observes Filters filters) {
        filters.register(this::check, AFTER_REQUEST_ID);
    }

    /** What the router itself refuses, before any filter, gets a problem document too. */
    void answer(@Observes Router router) {
        router.route().order(BEFORE_ALL_OTHERS).failureHandler(StrictRequests::refused);
    }

    private static void refused(RoutingContext routing) {
        if (routing.statusCode() == 400 && !routing.response().headWritten()) {
            Problems.write(routing, unreadable("See its target and its Host header."));
        } else {
            routing.next();
        }
    }

    private void check(RoutingContext routing) {
        HttpServerRequest request = routing.request();
        Optional<String> wrong = wrong(request);
        if (wrong.isPresent()) {
            Problems.write(routing, unreadable(wrong.get()));
        } else if (allowed.refuses(routing.normalizedPath(), request.method().name())) {
            // The framework would answer some with 404, and OPTIONS with 200 to anybody.
            Problems.write(routing, methodNotAllowed(allowed.of(routing.normalizedPath())));
        } else if (request.method().name().equals("OPTIONS")
                && routing.normalizedPath().startsWith("/v1/")
                && allowed.of(routing.normalizedPath()).isEmpty()) {
            // The framework decodes more of a path than we do, and answers OPTIONS for what it finds by itself.
            Problems.write(routing, Refusal.notFound());
        } else {
            routing.next();
        }
    }

    /** The refusal of a method, with those that the path answers. */
    static Refusal methodNotAllowed(String allow) {
        return new Refusal(ErrorCode.METHOD_NOT_ALLOWED, "This path does not answer that method; see the Allow header.")
                .withHeader("Allow", allow);
    }

    private static Refusal unreadable(String why) {
        return new Refusal(ErrorCode.MALFORMED_REQUEST, "The request could not be read. " + why);
    }

    private static Optional<String> wrong(HttpServerRequest request) {
        if (request.headers().getAll(HttpHeaders.HOST).size() > 1) {
            return Optional.of("It names more than one Host.");
        }
        @Nullable String target = request.uri();
        if (target == null || !target.startsWith("/")) {
            return Optional.of("Its target must be a path that begins with a slash.");
        }
        int query = target.indexOf('?');
        String path = query < 0 ? target : target.substring(0, query);
        if (path.indexOf('\\') >= 0 || path.indexOf('#') >= 0) {
            return Optional.of("A backslash or # in a path must be percent-encoded.");
        }
        return wrong(target);
    }

    /** Percent-encoding must be whole, and what it means UTF-8 without NUL, which no store of ours can keep. */
    static Optional<String> wrong(String target) {
        if (isPlain(target)) {
            return Optional.empty();
        }
        byte[] bytes = new byte[target.length()];
        int length = 0;
        for (int i = 0; i < target.length(); i++) {
            char c = target.charAt(i);
            if (c <= ' ' || c >= 0x7f) {
                return Optional.of("Its target must be printable ASCII; encode everything else as %XX of UTF-8.");
            }
            if (c == '%') {
                int high = i + 2 < target.length() ? Character.digit(target.charAt(i + 1), 16) : -1;
                int low = i + 2 < target.length() ? Character.digit(target.charAt(i + 2), 16) : -1;
                if (high < 0 || low < 0) {
                    return Optional.of("Its target has a % that is not followed by two hex digits.");
                }
                c = (char) (high << 4 | low);
                i += 2;
            }
            if (c == 0) {
                return Optional.of("Its target has a NUL.");
            }
            bytes[length++] = (byte) c;
        }
        try {
            StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes, 0, length));
            return Optional.empty();
        } catch (CharacterCodingException e) {
            return Optional.of("Its target's percent-encoding is not UTF-8.");
        }
    }

    /** Whether each character stands for itself. */
    private static boolean isPlain(String target) {
        for (int i = 0; i < target.length(); i++) {
            char c = target.charAt(i);
            if (c <= ' ' || c >= 0x7f || c == '%') {
                return false;
            }
        }
        return true;
    }
}
