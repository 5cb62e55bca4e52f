package io.aiel.plane.gateway.callback;

import java.nio.charset.StandardCharsets;

/** URLs that are called back: refused by what is wrong with them, or what was checked is what is sent, in one line. */
public final class CallbackUrlFuzz {
    private CallbackUrlFuzz() {}

    /** The text that a caller names. */
    public static void fuzzerTestOneInput(byte[] input) {
        String text = new String(input, StandardCharsets.UTF_8);
        CallbackUrl url;
        try {
            url = CallbackUrl.parse(text);
        } catch (IllegalArgumentException refused) {
            String said = String.valueOf(refused.getMessage());
            require(text.length() < 12 || !said.contains(text), "an error that does not repeat it");
            return;
        }
        require(url.target().startsWith("/"), "a path");
        require(url.reveal().chars().allMatch(c -> c > ' ' && c < 0x7f), "one line, whatever is in it");
        require(!url.host().name().isEmpty(), "a host");
        require(url.host().port() >= 1 && url.host().port() <= 65_535, "a port");
        require(url.toString().matches("https?://[a-z0-9.-]+:[0-9]+"), "no more than the origin is shown");
        CallbackUrl again = CallbackUrl.parse(url.reveal());
        require(again.equals(url), "what is kept reads as the same");
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
