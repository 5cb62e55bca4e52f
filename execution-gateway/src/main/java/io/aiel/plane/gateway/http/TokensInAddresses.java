package io.aiel.plane.gateway.http;

import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.TokenText;
import io.quarkus.vertx.http.runtime.filters.Filters;
import io.vertx.ext.web.RoutingContext;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;

/**
 * Refuses every request with a token in its path or query, whoever asks: addresses are written into the logs of proxies and browsers,
 * and what they name is recorded here.
 */
@Singleton
final class TokensInAddresses {
    private static final int AFTER_REQUEST_ID = 9_500;

    void register(@Observes Filters filters) {
        filters.register(TokensInAddresses::guard, AFTER_REQUEST_ID);
    }

    private static void guard(RoutingContext routing) {
        if (TokenText.isIn(routing.request().uri())
                || TokenText.isIn(decoded(routing.request().uri()))) {
            Problems.write(
                    routing,
                    new Refusal(
                            ErrorCode.MALFORMED_REQUEST,
                            "The address holds a token, and addresses end in logs. Revoke it, and send tokens in the header"
                                    + " Authorization: Bearer <token> alone."));
            return;
        }
        routing.next();
    }

    private static String decoded(String uri) {
        try {
            return uri.indexOf('%') < 0 ? "" : URLDecoder.decode(uri, StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            // Not an address that anything behind here can read either.
            return "";
        }
    }
}
