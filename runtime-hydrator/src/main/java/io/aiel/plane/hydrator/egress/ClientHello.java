package io.aiel.plane.hydrator.egress;

import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

/**
 * Reads the first message of TLS (RFC 8446, section 4.1.2, in the records of section 5.1) as far as the name of the server in it
 * (RFC 6066, section 3). Strict: what is not exactly of the form is malformed. Pure.
 */
final class ClientHello {
    /** The most bytes that are looked at. */
    static final int BYTES_MAX = 20 * 1024;

    private static final int RECORD_BYTES_MAX = 1 << 14;
    private static final int HELLO_BYTES_MAX = 1 << 14;
    private static final int HANDSHAKE = 22;
    private static final int CLIENT_HELLO = 1;
    private static final int SERVER_NAME = 0;
    /** Encrypted Client Hello (RFC 9849) and its predecessor: the name outside is not the name that is meant. */
    private static final Set<Integer> ENCRYPTED = Set.of(0xFE0D, 0xFFCE);

    /** What the bytes amount to. */
    sealed interface Reading {
        /** More bytes are needed. */
        record Incomplete() implements Reading {}

        /** A whole hello; the name in lower case, as it was sent otherwise. */
        record Hello(Optional<String> serverName, boolean encrypted) implements Reading {}

        /** Not TLS. */
        record Foreign() implements Reading {}

        /** TLS, and not of the form. */
        record Malformed(String why) implements Reading {}
    }

    private final byte[] bytes;
    private int at;
    private int end;

    private ClientHello(byte[] bytes, int end) {
        this.bytes = bytes;
        this.end = end;
    }

    /** Reads the first {@code length} bytes of {@code received}. */
    static Reading read(byte[] received, int length) {
        byte[] message = new byte[length];
        int filled = 0;
        int position = 0;
        int wanted = -1;
        while (wanted < 0 || filled < wanted) {
            if (position < length && u8(received, position) != HANDSHAKE) {
                return position == 0 ? new Reading.Foreign() : new Reading.Malformed("a record of another kind within");
            }
            if (position + 1 < length && u8(received, position + 1) != 3) {
                return position == 0 ? new Reading.Foreign() : new Reading.Malformed("a record of another version");
            }
            if (position + 5 > length) {
                return incomplete(length);
            }
            if (u8(received, position + 2) > 4) {
                return new Reading.Malformed("a record of another version");
            }
            int record = u16(received, position + 3);
            if (record == 0 || record > RECORD_BYTES_MAX) {
                return new Reading.Malformed("a record of " + record + " bytes");
            }
            int part = Math.min(record, length - position - 5);
            System.arraycopy(received, position + 5, message, filled, part);
            filled += part;
            if (wanted < 0 && filled >= 1 && message[0] != CLIENT_HELLO) {
                return new Reading.Malformed("the first message is not a hello");
            }
            if (wanted < 0 && filled >= 4) {
                int size = u8(message, 1) << 16 | u16(message, 2);
                if (size > HELLO_BYTES_MAX) {
                    return new Reading.Malformed("a hello of " + size + " bytes");
                }
                wanted = 4 + size;
            }
            if (part < record && (wanted < 0 || filled < wanted)) {
                return incomplete(length);
            }
            position += 5 + part;
            if (wanted >= 0 && filled >= wanted && (filled > wanted || part < record)) {
                return new Reading.Malformed("something behind the hello in its record");
            }
        }
        try {
            return new ClientHello(message, wanted).hello();
        } catch (Odd e) {
            return new Reading.Malformed(e.what);
        }
    }

    private static Reading incomplete(int length) {
        return length >= BYTES_MAX ? new Reading.Malformed("a hello without end") : new Reading.Incomplete();
    }

    private Reading hello() {
        at = 4;
        skip(2 + 32);
        skip(length8(0, 32));
        int suites = length16();
        if (suites < 2 || suites % 2 != 0) {
            throw new Odd("a list of cipher suites of " + suites + " bytes");
        }
        skip(suites);
        skip(length8(1, 255));
        if (at == end) {
            return new Reading.Hello(Optional.empty(), false);
        }
        if (length16() != end - at) {
            throw new Odd("extensions that do not fill the hello");
        }
        Set<Integer> seen = new HashSet<>();
        Optional<String> name = Optional.empty();
        boolean encrypted = false;
        while (at < end) {
            int type = length16();
            int size = length16();
            if (size > end - at) {
                throw new Odd("an extension longer than the hello");
            }
            if (!seen.add(type)) {
                throw new Odd("an extension that comes twice");
            }
            encrypted |= ENCRYPTED.contains(type);
            if (type == SERVER_NAME) {
                name = Optional.of(serverName(at + size));
            } else {
                skip(size);
            }
        }
        return new Reading.Hello(name, encrypted);
    }

    private String serverName(int extensionEnd) {
        int whole = end;
        end = extensionEnd;
        if (length16() != end - at) {
            throw new Odd("a list of server names that does not fill its extension");
        }
        if (length8(0, 255) != 0) {
            throw new Odd("a server name of another kind");
        }
        int size = length16();
        if (size == 0 || size != end - at) {
            throw new Odd("more than one server name, or none");
        }
        for (int i = at; i < end; i++) {
            if (bytes[i] <= ' ' || bytes[i] == 0x7F) {
                throw new Odd("a server name that is not plain ASCII");
            }
        }
        String name = new String(bytes, at, size, StandardCharsets.US_ASCII);
        at = end;
        end = whole;
        return name;
    }

    private int length8(int min, int max) {
        need(1);
        int value = u8(bytes, at++);
        if (value < min || value > max) {
            throw new Odd("a length of " + value);
        }
        return value;
    }

    private int length16() {
        need(2);
        int value = u16(bytes, at);
        at += 2;
        return value;
    }

    private void skip(int count) {
        need(count);
        at += count;
    }

    private void need(int count) {
        if (count > end - at) {
            throw new Odd("it ends too early");
        }
    }

    private static int u8(byte[] from, int index) {
        return from[index] & 0xFF;
    }

    private static int u16(byte[] from, int index) {
        return u8(from, index) << 8 | u8(from, index + 1);
    }

    /** In what it is odd. Never leaves this class. */
    private static final class Odd extends RuntimeException {
        private static final long serialVersionUID = 1L;
        private final String what;

        Odd(String what) {
            super(what, null, false, false);
            this.what = what;
        }
    }
}
