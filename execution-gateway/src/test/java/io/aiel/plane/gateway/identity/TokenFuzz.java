package io.aiel.plane.gateway.identity;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The headers that may carry a token: one well-formed token with the right checksum, said once or twice alike, or nobody. */
public final class TokenFuzz {
    private static final String MINTED = TokenSecret.mint(TokenKind.USER).reveal();

    private TokenFuzz() {}

    /** Lines of headers: those with a colon first are {@code X-API-Token}, the others {@code Authorization}. A tab is our token. */
    public static void fuzzerTestOneInput(byte[] input) {
        String text = new String(input, StandardCharsets.UTF_8).replace("\t", MINTED);
        List<String> apiTokens = new ArrayList<>();
        List<String> authorizations = new ArrayList<>();
        for (String line : text.split("\n", 6)) {
            if (line.startsWith(":")) {
                apiTokens.add(line.substring(1));
            } else {
                authorizations.add(line);
            }
        }
        Optional<TokenSecret> presented = Authentication.presented(apiTokens, authorizations);
        presented.ifPresent(token -> {
            require(token.reveal().matches("aielp_[a-z]{3}_[0-9A-Za-z]{36}"), "the form of a token");
            require(TokenSecret.parse(token.reveal()).equals(presented), "what was shown reads as the same");
            require(!token.toString().contains(token.reveal().substring(10)), "nothing of it is printed");
            for (String api : apiTokens) {
                require(api.equals(token.reveal()), "each header says the same");
            }
            for (String authorization : authorizations) {
                require(
                        authorization.endsWith(token.reveal())
                                || authorization.strip().endsWith(token.reveal()),
                        "likewise");
            }
        });
        // A checksum is right for one text only: whatever differs from a token in one place is none.
        if (!text.isEmpty() && text.length() <= MINTED.length()) {
            char[] changed = MINTED.toCharArray();
            int at = text.length() - 1;
            char other = text.charAt(at);
            boolean differs = changed[at] != other;
            changed[at] = other;
            require(!differs || TokenSecret.parse(new String(changed)).isEmpty(), "one character off is no token");
        }
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
