package io.aiel.plane.gateway.execution;

/**
 * What bounds executions, beside the hydrator's own limits.
 *
 * @param timeoutMsMax the longest timeout a caller may ask for, milliseconds
 * @param logLinesMax log entries kept of one execution
 * @param closeRetriesMax how often the record of an end is tried again
 * @param workersPerSnapshot how many workers a project has for one snapshot at most
 * @param streamCharsMax how much of what its calls give piece by piece is passed on to the reader of one execution
 */
public record ExecutionLimits(
        int timeoutMsMax, int logLinesMax, int closeRetriesMax, int workersPerSnapshot, long streamCharsMax) {}
