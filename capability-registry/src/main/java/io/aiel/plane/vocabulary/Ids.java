package io.aiel.plane.vocabulary;

import com.github.f4b6a3.uuid.UuidCreator;
import java.util.Locale;
import java.util.Objects;
import java.util.UUID;
import java.util.regex.Pattern;

/** Makes and checks typed identifiers: a prefix, an underscore and a UUIDv7 (RFC 9562) as 32 lower-case hex digits. */
public final class Ids {
    private static final Pattern HEX = Pattern.compile("[0-9a-f]{32}");

    private Ids() {}

    /** A new time-ordered identifier with this prefix, such as {@code exec_0198…}. Thread-safe. */
    public static String create(String prefix) {
        UUID uuid = UuidCreator.getTimeOrderedEpoch();
        return prefix + "_" + uuid.toString().replace("-", "").toLowerCase(Locale.ROOT);
    }

    /** Returns {@code text} when it has the form {@code prefix_<32 hex>}; otherwise throws {@link InvalidId}. */
    public static String check(String prefix, String text) {
        Objects.requireNonNull(text, "text");
        if (!text.startsWith(prefix + "_")
                || !HEX.matcher(text.substring(prefix.length() + 1)).matches()) {
            throw new InvalidId(prefix, text);
        }
        return text;
    }
}
