package io.aiel.plane.gateway.memory;

import java.time.Duration;

/**
 * What bounds memory.
 *
 * @param project what one project may keep
 * @param sizes of single things
 * @param runningMax statements at once
 * @param waitingMax calls that wait for their turn
 * @param sweepLimit rows of each kind that one sweep clears away
 * @param vectorsComparedMax vectors that one search compares
 * @param statementTimeout for one statement or transaction
 */
public record MemorySettings(
        Project project,
        Sizes sizes,
        int runningMax,
        int waitingMax,
        int sweepLimit,
        int vectorsComparedMax,
        Duration statementTimeout) {
    private static final int VECTORS_COMPARED_MOST = 1_000_000;

    /**
     * Quotas of one project. Writers at the same moment do not see one another, so it can be passed by what they write.
     *
     * @param threadsMax with messages or a state; as many with a checkpoint
     * @param messagesMax of one thread; exact
     * @param itemsMax recall items
     * @param bytesMax of all together
     */
    public record Project(long threadsMax, int messagesMax, long itemsMax, long bytesMax) {}

    /**
     * The largest of each, in bytes of UTF-8.
     *
     * @param metaBytesMax of one message
     * @param stateBytesMax of one thread
     * @param checkpointBytesMax state and metadata
     * @param itemBytesMax value and tags
     * @param answerBytesMax messages or items of one answer
     */
    public record Sizes(
            int metaBytesMax, int stateBytesMax, int checkpointBytesMax, int itemBytesMax, long answerBytesMax) {}

    /** Throws {@link IllegalArgumentException} that says what is wrong. */
    public MemorySettings {
        if (project.threadsMax() < 0
                || project.messagesMax() < 1
                || project.itemsMax() < 0
                || project.bytesMax() < 0
                || sizes.metaBytesMax() < 2
                || sizes.stateBytesMax() < 2
                || sizes.checkpointBytesMax() < 4
                || sizes.itemBytesMax() < 4
                || sizes.answerBytesMax() < 1
                || runningMax < 1
                || waitingMax < 0
                || sweepLimit < 1
                || vectorsComparedMax < 1
                || vectorsComparedMax > VECTORS_COMPARED_MOST) {
            throw new IllegalArgumentException("plane.memory: a limit is outside of what it can be");
        }
    }
}
