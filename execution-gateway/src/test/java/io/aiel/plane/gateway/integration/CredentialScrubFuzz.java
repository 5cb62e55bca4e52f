package io.aiel.plane.gateway.integration;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.UnaryOperator;

/** Answers of systems that repeat a credential beside whatever else: it is taken out, and what there is none in stays as it is. */
public final class CredentialScrubFuzz {
    private static final String CREDENTIAL = "xoxb-Canary/1+2=3&\"4";
    private static final CredentialScrub SCRUB = CredentialScrub.of(List.of(CREDENTIAL));

    private static final List<UnaryOperator<String>> WAYS = List.of(
            text -> text,
            text -> text.replace("&", "&amp;").replace("\"", "&quot;"),
            text -> text.replace("&", "&#38;").replace("+", "&#x2B;"),
            text -> text.replace("\\", "\\\\").replace("\"", "\\\"").replace("/", "\\/"),
            text -> text.replace("\\", "\\u005C").replace("\"", "\\u0022").replace("+", "\\u002b"),
            text -> URLEncoder.encode(text, StandardCharsets.UTF_8));

    private CredentialScrubFuzz() {}

    /** The first three bytes say how it is escaped, the rest is what stands around it. */
    public static void fuzzerTestOneInput(byte[] input) {
        String shown = CREDENTIAL;
        int ways = Math.min(3, input.length);
        for (int i = 0; i < ways; i++) {
            shown = WAYS.get(Byte.toUnsignedInt(input[i]) % WAYS.size()).apply(shown);
        }
        String around = new String(input, ways, input.length - ways, StandardCharsets.UTF_8);

        String clean = SCRUB.text(around + "\n" + shown + "\n" + around);

        require(clean.contains("\n[redacted]\n") || clean.equals("[redacted]"), "no credential in what comes back");
        require(!clean.contains(shown), "no credential as it came");
        String alone = SCRUB.text(around);
        require(SCRUB.isClean(around) == alone.equals(around), "what is clean stays as it is");
        require(alone.equals(around) || alone.contains("[redacted]"), "what is taken out is said");
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
