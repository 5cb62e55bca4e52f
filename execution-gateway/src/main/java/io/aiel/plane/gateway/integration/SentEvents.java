package io.aiel.plane.gateway.integration;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Takes a stream of server-sent events apart: bytes in, the data of events out. Of the format's fields only {@code data} matters here. Bounded: one
 * event has its limit. A machine without I/O, for one thread.
 */
final class SentEvents {
    private static final byte[] BOM = {(byte) 0xef, (byte) 0xbb, (byte) 0xbf};

    private final int eventBytesMax;
    private final ByteArrayOutputStream line = new ByteArrayOutputStream();
    private final StringBuilder data = new StringBuilder();
    private boolean hasData;
    private boolean afterReturn;
    private boolean begun;
    private int eventBytes;

    /** @param eventBytesMax of one event, all its lines together */
    SentEvents(int eventBytesMax) {
        this.eventBytesMax = eventBytesMax;
    }

    /** It is not what it should be; has no text of what came. */
    static final class Malformed extends Exception {
        private static final long serialVersionUID = 1L;
        private final boolean tooLarge;

        private Malformed(boolean tooLarge) {
            super(tooLarge ? "an event is too large" : "an event is no UTF-8", null, false, false);
            this.tooLarge = tooLarge;
        }

        /** Whether it is an event that is too large, and not one that cannot be read. */
        boolean tooLarge() {
            return tooLarge;
        }
    }

    /** What became whole with these bytes. */
    List<String> read(byte[] bytes) throws Malformed {
        List<String> events = new ArrayList<>();
        for (byte each : bytes) {
            if (each == '\n' && afterReturn) {
                afterReturn = false;
            } else if (each == '\n' || each == '\r') {
                afterReturn = each == '\r';
                ended(events);
            } else {
                afterReturn = false;
                if (++eventBytes > eventBytesMax) {
                    throw new Malformed(true);
                }
                line.write(each);
            }
        }
        return events;
    }

    private void ended(List<String> events) throws Malformed {
        String text = line();
        if (text.isEmpty()) {
            if (hasData) {
                events.add(data.toString());
            }
            data.setLength(0);
            hasData = false;
            eventBytes = 0;
        } else if (text.equals("data") || text.startsWith("data:")) {
            data.append(hasData ? "\n" : "").append(value(text));
            hasData = true;
        } else if (!hasData) {
            // Comments that keep a connection alive may come for ever.
            eventBytes = 0;
        }
    }

    private static String value(String text) {
        String value = text.length() > 5 ? text.substring(5) : "";
        return value.startsWith(" ") ? value.substring(1) : value;
    }

    private String line() throws Malformed {
        byte[] bytes = line.toByteArray();
        line.reset();
        int from = !begun && startsWithMark(bytes) ? BOM.length : 0;
        begun = true;
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes, from, bytes.length - from))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new Malformed(false);
        }
    }

    private static boolean startsWithMark(byte[] bytes) {
        return bytes.length >= BOM.length && bytes[0] == BOM[0] && bytes[1] == BOM[1] && bytes[2] == BOM[2];
    }
}
