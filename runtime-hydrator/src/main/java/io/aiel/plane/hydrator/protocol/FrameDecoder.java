package io.aiel.plane.hydrator.protocol;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Cuts received bytes into frames: an unsigned 32-bit big-endian length and that many bytes of UTF-8. The length is checked
 * before anything is allocated for it. Not thread-safe.
 */
public final class FrameDecoder {
    private final int frameBytesMax;
    private final byte[] head = new byte[4];
    private int headFilled;
    private byte @Nullable [] body;
    private int bodyFilled;

    public FrameDecoder(int frameBytesMax) {
        if (frameBytesMax < 2) {
            throw new IllegalArgumentException("a frame has at least two bytes");
        }
        this.frameBytesMax = frameBytesMax;
    }

    /** Takes one frame. */
    @FunctionalInterface
    public interface Frames {
        void take(String frame) throws ProtocolViolation;
    }

    /**
     * Hands over the frames that these bytes complete, in order; consumes all of {@code received}. Each goes as soon as it is
     * complete, so that what came before a breach counts, however the bytes were cut.
     */
    public void feed(ByteBuffer received, Frames frames) throws ProtocolViolation {
        while (received.hasRemaining()) {
            byte[] current = body;
            if (current == null) {
                head[headFilled++] = received.get();
                if (headFilled == head.length) {
                    headFilled = 0;
                    body = new byte[checkedLength()];
                    bodyFilled = 0;
                }
                continue;
            }
            int count = Math.min(received.remaining(), current.length - bodyFilled);
            received.get(current, bodyFilled, count);
            bodyFilled += count;
            if (bodyFilled == current.length) {
                body = null;
                frames.take(text(current));
            }
        }
    }

    /** True when the bytes so far end within a frame. */
    public boolean midFrame() {
        return headFilled > 0 || body != null;
    }

    private int checkedLength() throws ProtocolViolation {
        long length = Integer.toUnsignedLong(ByteBuffer.wrap(head).getInt());
        if (length > frameBytesMax) {
            throw new ProtocolViolation("frame of " + length + " bytes, at most " + frameBytesMax + " are accepted");
        }
        if (length < 2) {
            throw new ProtocolViolation("frame of " + length + " bytes cannot hold an object");
        }
        return (int) length;
    }

    private static String text(byte[] bytes) throws ProtocolViolation {
        // What is not UTF-8 becomes this character here, which may also have been sent.
        String text = new String(bytes, StandardCharsets.UTF_8);
        if (text.indexOf('\uFFFD') < 0) {
            return text;
        }
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new ProtocolViolation("frame is not UTF-8");
        }
    }
}
