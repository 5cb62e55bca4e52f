package io.aiel.plane.hydrator.egress;

import java.net.InetAddress;
import java.util.List;
import java.util.Optional;

/**
 * Which addresses a name on the internet cannot rightly have: the special-purpose ranges of IANA's registries, and what clouds answer
 * metadata at. Of version 6 only the global unicast range is let through at all, less what embeds version 4 addresses in it.
 */
final class AddressRules {
    private static final List<Range> VERSION_4 = List.of(
            range("0.0.0.0", 8, "unspecified"),
            range("10.0.0.0", 8, "private"),
            range("100.64.0.0", 10, "shared (carrier-grade NAT)"),
            range("127.0.0.0", 8, "loopback"),
            range("168.63.129.16", 32, "metadata"),
            range("169.254.0.0", 16, "link-local"),
            range("172.16.0.0", 12, "private"),
            range("192.0.0.0", 24, "protocol assignments"),
            range("192.0.2.0", 24, "documentation"),
            range("192.88.99.0", 24, "6to4 relay"),
            range("192.168.0.0", 16, "private"),
            range("198.18.0.0", 15, "benchmarking"),
            range("198.51.100.0", 24, "documentation"),
            range("203.0.113.0", 24, "documentation"),
            range("224.0.0.0", 4, "multicast"),
            range("240.0.0.0", 4, "reserved"));

    private static final Range GLOBAL = range("2000::", 3, "global unicast");

    private static final List<Range> VERSION_6 = List.of(
            range("2001::", 23, "protocol assignments"),
            range("2001:db8::", 32, "documentation"),
            range("2002::", 16, "6to4"),
            range("3fff::", 20, "documentation"));

    private AddressRules() {}

    private static final class Range {
        private final byte[] prefix;
        private final int bits;
        private final String what;

        Range(byte[] prefix, int bits, String what) {
            this.prefix = prefix;
            this.bits = bits;
            this.what = what;
        }

        boolean has(byte[] address) {
            if (address.length != prefix.length) {
                return false;
            }
            for (int bit = 0; bit < bits; bit++) {
                int mask = 0x80 >> (bit & 7);
                if ((address[bit >> 3] & mask) != (prefix[bit >> 3] & mask)) {
                    return false;
                }
            }
            return true;
        }
    }

    /** Why this address (4 or 16 bytes) must not be connected to; empty when it may. */
    static Optional<String> refusal(byte[] address) {
        if (address.length == 4) {
            return first(VERSION_4, address);
        }
        if (address.length != 16 || !GLOBAL.has(address)) {
            return Optional.of("outside of global unicast");
        }
        return first(VERSION_6, address);
    }

    private static Optional<String> first(List<Range> ranges, byte[] address) {
        return ranges.stream()
                .filter(range -> range.has(address))
                .map(range -> range.what)
                .findFirst();
    }

    private static Range range(String address, int bits, String what) {
        try {
            return new Range(InetAddress.ofLiteral(address).getAddress(), bits, what);
        } catch (IllegalArgumentException e) {
            throw new IllegalStateException(address, e);
        }
    }
}
