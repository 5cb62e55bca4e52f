package io.aiel.plane.hydrator;

import io.aiel.plane.vocabulary.Digest;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.function.Consumer;
import java.util.zip.CRC32;
import java.util.zip.Deflater;

/** Makes wheels that are as wrong as a test wants them: no library writes those. */
final class Wheel {
    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Entry(String name, byte[] bytes, int mode, boolean recorded) {}

    private final String name;
    private final List<Entry> entries = new ArrayList<>();
    private final List<String> recordLines = new ArrayList<>();
    private Consumer<ByteBuffer> centralChange = _ -> {};

    Wheel(String name) {
        this.name = name;
    }

    Wheel file(String path, String text) {
        return file(path, text.getBytes(StandardCharsets.UTF_8));
    }

    Wheel file(String path, byte[] bytes) {
        entries.add(new Entry(path, bytes, 0100644, true));
        return this;
    }

    /** In the archive, and not in the RECORD. */
    Wheel unrecorded(String path, String text) {
        entries.add(new Entry(path, text.getBytes(StandardCharsets.UTF_8), 0100644, false));
        return this;
    }

    Wheel link(String path, String target) {
        entries.add(new Entry(path, target.getBytes(StandardCharsets.UTF_8), 0120777, true));
        return this;
    }

    /** A line of the RECORD as it is. */
    Wheel record(String line) {
        recordLines.add(line);
        return this;
    }

    /** Changes the directory's header of each file of the package, not of its metadata. */
    Wheel central(Consumer<ByteBuffer> change) {
        centralChange = change;
        return this;
    }

    /** Writes it and gives the lock file's line that names it with its hash. */
    String lock(Path folder) throws IOException {
        byte[] archive = bytes();
        Path file = folder.resolve(name + "-1.0-py3-none-any.whl");
        Files.write(file, archive);
        return name + " @ " + file.toAbsolutePath().toUri() + " --hash=" + Digest.of(archive);
    }

    private byte[] bytes() throws IOException {
        String info = name + "-1.0.dist-info/";
        List<Entry> all = new ArrayList<>(entries);
        all.add(text(info + "METADATA", "Metadata-Version: 2.1\nName: " + name + "\nVersion: 1.0\n"));
        all.add(text(
                info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"));
        StringBuilder record = new StringBuilder();
        for (Entry entry : all) {
            if (entry.recorded()) {
                record.append(entry.name())
                        .append(",sha256=")
                        .append(sha256(entry.bytes()))
                        .append(',')
                        .append(entry.bytes().length)
                        .append('\n');
            }
        }
        recordLines.forEach(line -> record.append(line).append('\n'));
        record.append(info).append("RECORD,,\n");
        all.add(text(info + "RECORD", record.toString()));
        return zip(all, info);
    }

    private static Entry text(String path, String text) {
        return new Entry(path, text.getBytes(StandardCharsets.UTF_8), 0100644, true);
    }

    /** APPNOTE 4.3: local headers with their data, then the central directory, then its end. */
    private byte[] zip(List<Entry> all, String info) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream directory = new ByteArrayOutputStream();
        for (Entry entry : all) {
            byte[] path = entry.name().getBytes(StandardCharsets.UTF_8);
            byte[] packed = deflate(entry.bytes());
            CRC32 crc = new CRC32();
            crc.update(entry.bytes());
            int offset = out.size();
            ByteBuffer local =
                    buffer(30).putInt(0x04034b50).putShort((short) 20).putShort((short) 0x800);
            local.putShort((short) 8).putInt(0x00210000).putInt((int) crc.getValue());
            local.putInt(packed.length)
                    .putInt(entry.bytes().length)
                    .putShort((short) path.length)
                    .putShort((short) 0);
            ByteBuffer central =
                    buffer(46).putInt(0x02014b50).putShort((short) 0x0314).putShort((short) 20);
            central.putShort((short) 0x800)
                    .putShort((short) 8)
                    .putInt(0x00210000)
                    .putInt((int) crc.getValue());
            central.putInt(packed.length).putInt(entry.bytes().length).putShort((short) path.length);
            central.putShort((short) 0).putShort((short) 0).putShort((short) 0).putShort((short) 0);
            central.putInt(entry.mode() << 16).putInt(offset);
            if (!entry.name().startsWith(info)) {
                centralChange.accept(central);
                // What both headers have is changed in both.
                local.putShort(6, central.getShort(8)).putInt(22, central.getInt(24));
            }
            out.write(written(local));
            out.write(path);
            out.write(packed);
            directory.write(written(central));
            directory.write(path);
        }
        ByteBuffer end = buffer(22).putInt(0x06054b50).putInt(0).putShort((short) all.size());
        end.putShort((short) all.size())
                .putInt(directory.size())
                .putInt(out.size())
                .putShort((short) 0);
        out.write(directory.toByteArray());
        out.write(written(end));
        return out.toByteArray();
    }

    private static ByteBuffer buffer(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static byte[] written(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.position()];
        buffer.flip().get(bytes);
        return bytes;
    }

    private static byte[] deflate(byte[] bytes) {
        Deflater deflater = new Deflater(Deflater.DEFAULT_COMPRESSION, true);
        try {
            deflater.setInput(bytes);
            deflater.finish();
            ByteArrayOutputStream packed = new ByteArrayOutputStream();
            byte[] buffer = new byte[1 << 16];
            while (!deflater.finished()) {
                packed.write(buffer, 0, deflater.deflate(buffer));
            }
            return packed.toByteArray();
        } finally {
            deflater.end();
        }
    }

    private static String sha256(byte[] bytes) {
        try {
            return Base64.getUrlEncoder()
                    .withoutPadding()
                    .encodeToString(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
