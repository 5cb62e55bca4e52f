package io.aiel.plane.gateway.memory;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;

/** What agents remember. */
@ConfigMapping(prefix = "plane.memory")
public interface MemoryConfig {
    /** Threads of one project that have messages or a state, and as many with a checkpoint. */
    @WithDefault("100000")
    long threadsMax();

    /** Messages of one thread. */
    @WithDefault("10000")
    int messagesMax();

    /** Recall items of one project. */
    @WithDefault("100000")
    long itemsMax();

    /** Bytes that one project keeps, as UTF-8, with 128 for each message, checkpoint and recall item besides, and four for each number of a vector. */
    @WithDefault("1073741824")
    long projectBytesMax();

    /** Bytes of one message's {@code meta}. */
    @WithDefault("16384")
    int metaBytesMax();

    /** Bytes of one thread's state. */
    @WithDefault("1048576")
    int stateBytesMax();

    /** Bytes of one checkpoint, its state and metadata together. */
    @WithDefault("4194304")
    int checkpointBytesMax();

    /** Bytes of one recall item, its value and tags together. */
    @WithDefault("262144")
    int itemBytesMax();

    /** Bytes of messages, or of recall items, in one answer; what would not fit is left out. */
    @WithDefault("8388608")
    long answerBytesMax();

    /** Vectors that one search compares; of more, the newest. */
    @WithDefault("10000")
    int vectorsComparedMax();

    /** How often what has expired is cleared away. */
    @WithDefault("1M")
    Duration sweepInterval();

    /** Rows of each kind that one sweep clears away at most; with more to do, the next follows after a second. */
    @WithDefault("1000")
    int sweepLimit();

    /** Memory statements that this server runs at once; less than its connections, which executions need as well. */
    @WithDefault("10")
    int runningMax();

    /** Memory calls that wait for their turn on this server; more are told to come again. */
    @WithDefault("500")
    int waitingMax();

    /** How long one statement or transaction may take, waiting for its turn included. */
    @WithDefault("5S")
    Duration statementTimeout();
}
