package io.aiel.plane.vocabulary;

/**
 * What an execution used.
 *
 * @param cpuMs processor time, milliseconds
 * @param wallMs elapsed time in the worker, milliseconds
 * @param maxRssBytes the worker's largest resident set so far, bytes
 */
public record Usage(long cpuMs, long wallMs, long maxRssBytes) {
    /** Nothing ran. */
    public static final Usage NONE = new Usage(0, 0, 0);
}
