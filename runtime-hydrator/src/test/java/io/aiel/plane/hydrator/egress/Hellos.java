package io.aiel.plane.hydrator.egress;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.NoSuchAlgorithmException;
import java.util.List;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;

/** First messages of TLS: real ones of this JDK, and made ones of which each part can be wrong. */
final class Hellos {
    private Hellos() {}

    /** What a client sends that wants this server. */
    static byte[] real(String server) {
        try {
            SSLEngine engine = SSLContext.getDefault().createSSLEngine();
            engine.setUseClientMode(true);
            SSLParameters parameters = engine.getSSLParameters();
            parameters.setServerNames(List.of(new SNIHostName(server)));
            engine.setSSLParameters(parameters);
            ByteBuffer out = ByteBuffer.allocate(1 << 16);
            engine.wrap(ByteBuffer.allocate(0), out);
            byte[] bytes = new byte[out.flip().remaining()];
            out.get(bytes);
            return bytes;
        } catch (NoSuchAlgorithmException | SSLException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A small one with these extensions. */
    static byte[] made(byte[]... extensions) {
        byte[] all = joined(extensions);
        return record(message(
                joined(new byte[] {3, 3}, new byte[32], new byte[] {0, 0, 2, 0x13, 1, 1, 0}, u16(all.length), all)));
    }

    static byte[] message(byte[] body) {
        return joined(new byte[] {1, 0}, u16(body.length), body);
    }

    static byte[] record(byte[] fragment) {
        return joined(new byte[] {22, 3, 1}, u16(fragment.length), fragment);
    }

    static byte[] extension(int type, byte[] body) {
        return joined(u16(type), u16(body.length), body);
    }

    static byte[] serverName(String name) {
        byte[] bytes = name.getBytes(StandardCharsets.UTF_8);
        return extension(0, joined(u16(bytes.length + 3), new byte[] {0}, u16(bytes.length), bytes));
    }

    /** The same message in records of at most so many bytes. */
    static byte[] fragmented(byte[] hello, int size) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (int at = 5; at < hello.length; at += size) {
            out.writeBytes(record(java.util.Arrays.copyOfRange(hello, at, Math.min(hello.length, at + size))));
        }
        return out.toByteArray();
    }

    static byte[] u16(int value) {
        return new byte[] {(byte) (value >> 8), (byte) value};
    }

    static byte[] joined(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }
}
