package io.aiel.plane.registry.files;

import java.nio.charset.StandardCharsets;
import java.time.Instant;

/** Signed URLs: a signature holds for exactly the parts that it was made for. */
public final class SignedUrlFuzz {
    private static final SignedUrls URLS =
            new SignedUrls("a key of thirty-two bytes, or more".getBytes(StandardCharsets.UTF_8));
    private static final Instant NOW = Instant.ofEpochSecond(1_000);
    private static final String SUBJECT = "upl_00000000000000000000000000000001";
    private static final String SIGNATURE = URLS.sign("PUT", SUBJECT, "pkg/a.py", 2_000);

    private SignedUrlFuzz() {}

    /** Method, subject, path, expiry and signature, with NULs between; what is missing is what was really signed. */
    public static void fuzzerTestOneInput(byte[] input) {
        String[] sent = new String(input, StandardCharsets.UTF_8).split("\0", 5);
        String method = part(sent, 0, "PUT");
        String subject = part(sent, 1, SUBJECT);
        String path = part(sent, 2, "pkg/a.py");
        long expires = number(part(sent, 3, "2000"));
        String signature = part(sent, 4, SIGNATURE);
        boolean same = method.equals("PUT")
                && subject.equals(SUBJECT)
                && path.equals("pkg/a.py")
                && expires == 2_000
                && signature.equals(SIGNATURE);
        boolean holds = URLS.holds(method, subject, path, expires, signature, NOW);
        if (holds != same) {
            throw new AssertionError("holds=" + holds + " for parts that are " + (same ? "the same" : "others"));
        }
        if (URLS.holds(method, subject, path, expires, signature, Instant.ofEpochSecond(2_000))) {
            throw new AssertionError("it holds after its expiry");
        }
    }

    private static String part(String[] sent, int at, String otherwise) {
        return at < sent.length && !sent[at].isEmpty() ? sent[at] : otherwise;
    }

    private static long number(String text) {
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException e) {
            return text.hashCode();
        }
    }
}
