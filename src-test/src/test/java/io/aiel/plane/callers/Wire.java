package io.aiel.plane.callers;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Speaks HTTP/1.1 byte by byte, since clients normalise or refuse what a hostile caller sends. One connection a request. */
final class Wire {
    private static final int LIMIT_MS = 30_000;

    private final int port;

    Wire(URI plane) {
        this.port = plane.getPort();
    }

    /**
     * What came back until the connection ended.
     *
     * @param status 0 when nothing came, as when the connection was closed at once
     */
    record Answer(int status, String head, String body) {
        /** The header's value; empty text when it is absent. */
        String header(String name) {
            String wanted = name.toLowerCase(Locale.ROOT) + ":";
            return head.lines()
                    .filter(line -> line.toLowerCase(Locale.ROOT).startsWith(wanted))
                    .map(line -> line.substring(wanted.length()).strip())
                    .findFirst()
                    .orElse("");
        }
    }

    Socket connect() throws IOException {
        Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
        socket.setSoTimeout(LIMIT_MS);
        return socket;
    }

    /** The head of a request with these lines. */
    static byte[] head(String... lines) {
        return (String.join("\r\n", lines) + "\r\n\r\n").getBytes(StandardCharsets.ISO_8859_1);
    }

    /** Sends a request without a body; {@code headers} are whole lines without their ends. The target is sent as it is. */
    Answer request(String method, String target, String... headers) {
        List<String> lines =
                new ArrayList<>(List.of(method + " " + target + " HTTP/1.1", "Host: plane", "Connection: close"));
        lines.addAll(List.of(headers));
        return send(head(lines.toArray(new String[0])));
    }

    /** Sends these bytes and reads to the end of the connection; the answer of a peer that closes while we send counts too. */
    Answer send(byte[]... parts) {
        try (Socket socket = connect()) {
            try {
                for (byte[] part : parts) {
                    socket.getOutputStream().write(part);
                }
                socket.getOutputStream().flush();
            } catch (IOException e) {
                // It has heard enough; what it said is still to be read.
            }
            return parse(read(socket.getInputStream()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static byte[] read(InputStream in) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        byte[] some = new byte[16 * 1024];
        try {
            for (int read = in.read(some); read >= 0; read = in.read(some)) {
                all.write(some, 0, read);
            }
        } catch (SocketTimeoutException e) {
            throw new AssertionError("the connection was not ended within " + LIMIT_MS + " ms; came: " + all, e);
        } catch (IOException e) {
            // Reset: what came before it is the answer.
        }
        return all.toByteArray();
    }

    static Answer parse(byte[] bytes) {
        String text = new String(bytes, StandardCharsets.UTF_8);
        int end = text.indexOf("\r\n\r\n");
        if (!text.startsWith("HTTP/1.") || end < 0) {
            return new Answer(0, "", text);
        }
        int status = Integer.parseInt(text.substring(9, 12));
        return new Answer(status, text.substring(0, end), text.substring(end + 4));
    }
}
