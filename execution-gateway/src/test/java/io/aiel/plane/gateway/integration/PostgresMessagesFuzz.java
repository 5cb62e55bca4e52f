package io.aiel.plane.gateway.integration;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;

/** What a PostgreSQL server sends: judged message by message as the protocol has them, and the same however it is cut into pieces. */
public final class PostgresMessagesFuzz {
    private static final int BYTES_MAX = 1_000;
    private static final int HEADER_BYTES = 5;
    private static final int COLUMN_BYTES = 18;
    private static final int COLUMNS_BYTES_MAX = 256;
    private static final int TEXT = 25;

    private PostgresMessagesFuzz() {}

    /** Messages one after the other; the last may be cut. */
    public static void fuzzerTestOneInput(byte[] input) {
        boolean wanted = isGood(ByteBuffer.wrap(input));
        PostgresMessages whole = new PostgresMessages(BYTES_MAX);
        PostgresMessages byBytes = new PostgresMessages(BYTES_MAX);
        ByteBuf bytes = Unpooled.wrappedBuffer(input);
        boolean good = true;
        for (int at = 0; good && at < input.length; at++) {
            good = byBytes.mayBe(bytes.slice(at, 1));
        }
        require(whole.mayBe(bytes) == wanted, "the whole");
        require(good == wanted, "byte by byte");
        require(!wanted || whole.count() == byBytes.count(), "the count");
        require(!wanted || whole.isAnswering() == byBytes.isAnswering(), "whether more is to come");
    }

    private static boolean isGood(ByteBuffer messages) {
        while (messages.remaining() >= HEADER_BYTES) {
            byte type = messages.get();
            int length = messages.getInt();
            int body = length - Integer.BYTES;
            if (length < Integer.BYTES
                    || length > BYTES_MAX
                    || (type == 'T' && (body == 0 || body > COLUMNS_BYTES_MAX))) {
                return false;
            }
            if (messages.remaining() < body) {
                return true;
            }
            if (type == 'T' && !isTextOrNothing(messages.slice(messages.position(), body))) {
                return false;
            }
            messages.position(messages.position() + body);
        }
        return true;
    }

    private static boolean isTextOrNothing(ByteBuffer columns) {
        if (columns.remaining() < Short.BYTES) {
            return false;
        }
        short count = columns.getShort();
        if (count != 1) {
            return count == 0 && !columns.hasRemaining();
        }
        while (columns.hasRemaining()) {
            if (columns.get() == 0) {
                return columns.remaining() == COLUMN_BYTES
                        && columns.getInt(columns.position() + Integer.BYTES + Short.BYTES) == TEXT;
            }
        }
        return false;
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
