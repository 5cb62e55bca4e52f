package io.aiel.plane.gateway.app;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;
import java.util.Optional;

/** How executions are admitted, bounded and recovered. */
@ConfigMapping(prefix = "plane.execution")
public interface ExecutionConfig {
    /** The stable name of this server; absent means the name kept in the data directory. */
    Optional<String> node();

    /** The longest timeout a caller may ask for. */
    @WithDefault("15M")
    Duration timeoutMax();

    /** Log entries kept of one execution. */
    @WithDefault("1000")
    int logLinesMax();

    /** Compiled input schemas kept in memory. */
    @WithDefault("1000")
    int schemasMax();

    /** Admissions and closures that share one transaction at most. */
    @WithDefault("256")
    int batchMax();

    /** Admissions and closures that wait for a transaction at most; more are refused. */
    @WithDefault("4096")
    int waitingMax();

    /** Transactions in flight at once. With one, those that come meanwhile share the next: fewer commits, more calls. */
    @WithDefault("1")
    int flushesMax();

    /** How long one transaction may take before the execution is refused. */
    @WithDefault("1500ms")
    Duration statementTimeout();

    /** How often the record of an end is tried again before recovery has to write it. */
    @WithDefault("5")
    int closeRetriesMax();

    /** How long an idempotency key stands for the request that it was first sent with, and its answer is kept. */
    @WithDefault("24H")
    Duration idempotencyKept();

    /** How often this server says that it is alive. */
    @WithDefault("5s")
    Duration heartbeat();

    /** How long a server may be silent before others close as lost what it ran. */
    @WithDefault("30s")
    Duration nodeDeadAfter();

    /** How long running executions may take to end when the server stops; what runs on is cancelled. */
    @WithDefault("10s")
    Duration drainTimeout();
}
