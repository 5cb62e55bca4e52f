package io.aiel.plane.audit;

/**
 * Something that must never happen to the log, and did.
 *
 * @param stream the stream, or topic and partition of an unreadable message
 * @param sequence in the stream, or the message's offset
 * @param storedHash what the log holds or demands; empty text when nothing
 * @param foundHash what came instead
 */
record Alarm(Kind kind, String stream, long sequence, String storedHash, String foundHash, String detail) {
    enum Kind {
        /** Another record came for a place that is taken; the first is kept. */
        CONFLICT("conflict"),
        /** A record does not continue from the one before. */
        BROKEN_CHAIN("broken_chain"),
        /** The record before is missing; resolves itself when it comes. */
        GAP("gap"),
        /** The log has not what its writer says that a stream ends with: the end, or the whole stream, was taken out. */
        MISSING("missing"),
        /** A message is no record, or PostgreSQL refuses it as one. It was set aside: it is in Kafka only. */
        UNREADABLE("unreadable");

        private final String wireName;

        Kind(String wireName) {
            this.wireName = wireName;
        }

        String wireName() {
            return wireName;
        }
    }
}
