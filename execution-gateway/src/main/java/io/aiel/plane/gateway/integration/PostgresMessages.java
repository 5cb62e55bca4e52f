package io.aiel.plane.gateway.integration;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;

/**
 * Follows the messages of a PostgreSQL server: a type, and a length which counts itself (PostgreSQL, Frontend/Backend Protocol, Message
 * Formats).
 *
 * <p>Of one connection; its event loop only.
 */
final class PostgresMessages {
    private static final int COLUMNS_BYTES_MAX = 256;

    /** The type {@code text}, of which all columns are that are asked for: of others a few bytes may become anything in the client. */
    private static final int TEXT = 25;

    /** Of a column's description behind its name. */
    private static final int COLUMN_BYTES = 18;

    private static final int HEADER_BYTES = 5;

    private final long bytesMax;
    private int headerBytes;
    private byte type;
    private int length;
    private long left;
    private int count;
    private boolean answering = true;
    private final ByteBuf columns = Unpooled.buffer(COLUMNS_BYTES_MAX);

    PostgresMessages(long bytesMax) {
        this.bytesMax = bytesMax;
    }

    void countAnew() {
        count = 0;
        answering = true;
    }

    /** Whether the server has not said yet that it is ready for the next. */
    boolean isAnswering() {
        return answering;
    }

    int count() {
        return count;
    }

    boolean mayBe(ByteBuf bytes) {
        int at = bytes.readerIndex();
        while (at < bytes.writerIndex()) {
            if (left > 0) {
                int some = (int) Math.min(left, bytes.writerIndex() - at);
                if (type == 'T') {
                    columns.writeBytes(bytes, at, some);
                }
                left -= some;
                at += some;
                if (left == 0 && type == 'T' && !isTextOrNothing(columns)) {
                    return false;
                }
            } else if (!mayBe(bytes.getByte(at++))) {
                return false;
            }
        }
        return true;
    }

    /** A byte of a header. */
    private boolean mayBe(byte one) {
        if (headerBytes == 0) {
            type = one;
            length = 0;
        } else {
            length = length << Byte.SIZE | Byte.toUnsignedInt(one);
        }
        if (++headerBytes < HEADER_BYTES) {
            return true;
        }
        headerBytes = 0;
        count++;
        answering &= type != 'Z';
        columns.clear();
        left = (long) length - Integer.BYTES;
        return left >= 0 && length <= bytesMax && (type != 'T' || (left > 0 && left <= COLUMNS_BYTES_MAX));
    }

    /** No column, or one of the type text: a count, and of each column its name, table and number, type, size, modifier and format. */
    private static boolean isTextOrNothing(ByteBuf columns) {
        if (columns.readableBytes() < Short.BYTES) {
            return false;
        }
        int count = columns.readUnsignedShort();
        if (count == 0) {
            return !columns.isReadable();
        }
        int name = columns.bytesBefore((byte) 0);
        return count == 1
                && name >= 0
                && columns.skipBytes(name + 1).readableBytes() == COLUMN_BYTES
                && columns.skipBytes(Integer.BYTES + Short.BYTES).readInt() == TEXT;
    }
}
