package io.aiel.plane.hydrator;

import io.aiel.plane.hydrator.protocol.ZygoteEvent;
import io.aiel.plane.vocabulary.ErrorCode;

/**
 * How a worker's process ended, in the plane's words.
 *
 * @param cpuMs of the whole process; 0 when not known
 */
record Death(ErrorCode code, String detail, long cpuMs, long maxRssBytes) {
    private static final int SIGKILL = 9;
    private static final int SIGSYS = 31;

    static Death lost(String detail) {
        return new Death(ErrorCode.WORKER_LOST, detail, 0, 0);
    }

    static Death of(ZygoteEvent.Exited exit) {
        if (exit.memoryLimitHit()) {
            return as(ErrorCode.MEMORY_LIMIT, "the worker was stopped for using more memory than it may", exit);
        }
        if (exit.cpuLimitHit()) {
            return as(ErrorCode.TIMEOUT, "the worker used up its processor time", exit);
        }
        if (exit.processLimitHit()) {
            return as(
                    ErrorCode.PROCESS_LIMIT,
                    "the worker ended after starting more processes or threads than it may",
                    exit);
        }
        if (exit.signal().isPresent()) {
            int signal = exit.signal().get();
            return switch (signal) {
                case SIGSYS ->
                    as(ErrorCode.SECURITY_VIOLATION, "the code made a system call that it may not make", exit);
                case SIGKILL -> as(ErrorCode.WORKER_LOST, "the worker was killed from outside", exit);
                default -> as(ErrorCode.WORKER_LOST, "the worker crashed with signal " + signal, exit);
            };
        }
        return as(
                ErrorCode.WORKER_LOST,
                "the code ended its process"
                        + exit.exitCode().map(code -> " with code " + code).orElse(""),
                exit);
    }

    private static Death as(ErrorCode code, String detail, ZygoteEvent.Exited exit) {
        return new Death(code, detail, exit.cpuMs(), exit.maxRssBytes());
    }
}
