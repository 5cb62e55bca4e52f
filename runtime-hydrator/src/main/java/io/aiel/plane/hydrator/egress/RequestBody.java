package io.aiel.plane.hydrator.egress;

import java.io.IOException;
import java.nio.charset.StandardCharsets;

/**
 * Passes on the body of one request and not one byte more, so that no second request, for whatever host, follows it on the connection.
 * Chunks are read strictly and written anew; extensions are refused, trailers dropped (RFC 9112, section 7.1). One thread.
 */
final class RequestBody {
    private static final int LINE_MAX = 4096;
    private static final int TRAILERS_MAX = 64;

    /** Bytes of the client, from where the head ended on. */
    interface Source {
        /** At least one byte; -1 at the end. */
        int read(byte[] buffer, int from, int countMax) throws IOException;
    }

    /** Where the server is. */
    interface Sink {
        void write(byte[] bytes, int count) throws IOException;
    }

    private final Source source;
    private final Sink sink;
    private final byte[] buffer = new byte[16 * 1024];

    RequestBody(Source source, Sink sink) {
        this.source = source;
        this.sink = sink;
    }

    void relay(RequestHead head) throws IOException {
        if (head.chunked()) {
            chunks();
        } else {
            copy(head.contentLength().orElse(0L));
        }
    }

    private void copy(long count) throws IOException {
        long left = count;
        while (left > 0) {
            int got = source.read(buffer, 0, (int) Math.min(left, buffer.length));
            if (got < 0) {
                throw new IOException("the body ended early");
            }
            sink.write(buffer, got);
            left -= got;
        }
    }

    private void chunks() throws IOException {
        while (true) {
            String size = line();
            if (!size.matches("[0-9A-Fa-f]{1,8}")) {
                throw new IOException("a chunk's size that is not a number alone");
            }
            long count = Long.parseLong(size, 16);
            if (count == 0) {
                break;
            }
            text(Long.toHexString(count) + "\r\n");
            copy(count);
            if (!line().isEmpty()) {
                throw new IOException("a chunk without its end");
            }
            text("\r\n");
        }
        int trailers = 0;
        while (!line().isEmpty()) {
            if (++trailers > TRAILERS_MAX) {
                throw new IOException("too many trailers");
            }
        }
        text("0\r\n\r\n");
    }

    private void text(String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
        sink.write(bytes, bytes.length);
    }

    private String line() throws IOException {
        byte[] one = new byte[1];
        StringBuilder line = new StringBuilder();
        while (source.read(one, 0, 1) == 1) {
            if (one[0] == '\n') {
                int end = line.length() - 1;
                if (end < 0 || line.charAt(end) != '\r') {
                    throw new IOException("a line that does not end with CR LF");
                }
                return line.substring(0, end);
            }
            if (line.length() > LINE_MAX) {
                throw new IOException("a line without end");
            }
            line.append((char) (one[0] & 0xFF));
        }
        throw new IOException("the body ended early");
    }
}
