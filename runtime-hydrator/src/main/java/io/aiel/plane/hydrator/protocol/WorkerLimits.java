package io.aiel.plane.hydrator.protocol;

/**
 * What one worker may use, as the zygote is told. All sizes in bytes.
 *
 * @param cpuSeconds over the worker's whole life, a backstop behind the deadline of each execution
 * @param fileBytes the largest single file
 * @param tmpBytes the private temporary file system
 * @param resultBytes the largest envelope
 * @param logBytes all log entries of one execution
 * @param frameBytesMax the largest frame either side accepts
 * @param chunkBytes the largest chunk of a streamed execution
 * @param streamBytes all chunks of one streamed execution
 */
public record WorkerLimits(
        long memoryBytes,
        int pids,
        int cpuSeconds,
        long fileBytes,
        int openFiles,
        long tmpBytes,
        int resultBytes,
        int logBytes,
        int frameBytesMax,
        int chunkBytes,
        long streamBytes) {
    /** 256 MiB of memory, 64 threads, 6 MiB results, 64 KiB logs, 1 MiB chunks and 256 MiB of them. */
    public static final WorkerLimits DEFAULT = new WorkerLimits(
            256L << 20, 64, 3600, 64L << 20, 256, 16L << 20, 6 << 20, 64 << 10, 8 << 20, 1 << 20, 256L << 20);

    public WorkerLimits {
        if (memoryBytes < 16L << 20) {
            throw new IllegalArgumentException("a worker needs at least 16 MiB of memory");
        }
        if (pids < 1 || cpuSeconds < 1 || fileBytes < 0 || openFiles < 16 || tmpBytes < 4096 || logBytes < 0) {
            throw new IllegalArgumentException("a limit is too small for a worker to run at all");
        }
        if (resultBytes < 1024 || frameBytesMax < 8192 || resultBytes > frameBytesMax - 4096) {
            throw new IllegalArgumentException("a result must fit a frame with 4 KiB to spare");
        }
        if (chunkBytes < 1024 || chunkBytes > frameBytesMax - 4096 || streamBytes < chunkBytes) {
            throw new IllegalArgumentException("a chunk must fit a frame with 4 KiB to spare, and the stream");
        }
    }

    /** The same limits, with less memory when {@code bytes} is less. */
    public WorkerLimits atMostMemory(long bytes) {
        return bytes >= memoryBytes
                ? this
                : new WorkerLimits(
                        Math.max(bytes, 16L << 20),
                        pids,
                        cpuSeconds,
                        fileBytes,
                        openFiles,
                        tmpBytes,
                        resultBytes,
                        logBytes,
                        frameBytesMax,
                        chunkBytes,
                        streamBytes);
    }
}
