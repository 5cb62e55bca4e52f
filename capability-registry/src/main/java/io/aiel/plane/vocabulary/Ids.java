package io.aiel.plane.vocabulary;

import com.github.f4b6a3.uuid.factory.standard.TimeOrderedEpochFactory;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneId;
import java.util.HexFormat;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

/** Makes and checks typed identifiers: a prefix, an underscore and a UUIDv7 (RFC 9562) as 32 lower-case hex digits. */
public final class Ids {
    private static final int HEX_DIGITS = 32;
    private static final HexFormat HEX = HexFormat.of();
    private static final Supplier<UUID> UUIDS = ordered(Clock.systemUTC());

    private Ids() {}

    /**
     * A new time-ordered identifier with this prefix, such as {@code exec_0198…}: greater than all that this process made before, also
     * when the machine's clock was set back in between. Thread-safe.
     */
    public static String create(String prefix) {
        UUID uuid = UUIDS.get();
        return prefix + "_" + HEX.toHexDigits(uuid.getMostSignificantBits())
                + HEX.toHexDigits(uuid.getLeastSignificantBits());
    }

    /** Returns {@code text} when it has the form {@code prefix_<32 hex>}; otherwise throws {@link InvalidId}. */
    public static String check(String prefix, String text) {
        Objects.requireNonNull(text, "text");
        int at = prefix.length();
        if (text.length() != at + 1 + HEX_DIGITS
                || !text.startsWith(prefix)
                || text.charAt(at) != '_'
                || !isHex(text, at + 1)) {
            throw new InvalidId(prefix, text);
        }
        return text;
    }

    /** Whether all characters from there on are lower-case hex digits. */
    static boolean isHex(String text, int from) {
        for (int i = from; i < text.length(); i++) {
            char c = text.charAt(i);
            if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
                return false;
            }
        }
        return true;
    }

    /** Ever greater identifiers, whatever the clock does. */
    static Supplier<UUID> ordered(Clock clock) {
        return new TimeOrderedEpochFactory(new Forward(clock))::create;
    }

    /** Stands still while the clock below is behind what it said before. Thread-safe. */
    private static final class Forward extends Clock {
        private final Clock clock;
        private final AtomicLong latest = new AtomicLong(Long.MIN_VALUE);

        Forward(Clock clock) {
            this.clock = clock;
        }

        @Override
        public long millis() {
            return latest.accumulateAndGet(clock.millis(), Math::max);
        }

        @Override
        public Instant instant() {
            return Instant.ofEpochMilli(millis());
        }

        @Override
        public ZoneId getZone() {
            return clock.getZone();
        }

        @Override
        public Clock withZone(ZoneId zone) {
            return new Forward(clock.withZone(zone));
        }
    }
}
