package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A streamed chat completion on its way in: bytes go in, pieces come out as they are whole, and at the end the completion, or why there is none. What
 * broke off is none. A machine without I/O, for one thread.
 */
final class ChatStream {
    /** Of one piece. A reader's chunk may have four times as much. */
    static final int EVENT_BYTES_MAX = 256 * 1024;

    /** A piece says of a few letters what a whole answer says once, so a stream may have so many times the bytes of an answer. */
    private static final int OVERHEAD = 8;

    private static final String LAST = "[DONE]";
    private static final Ended NO_PIECE = new Ended.Broken(
            "bad_answer", "a part of its stream is not what was expected; look whether it is a compatible server", 502);

    private final SentEvents events = new SentEvents(EVENT_BYTES_MAX);
    private final ChatPieces pieces = new ChatPieces();
    private final int answerBytesMax;
    private long left;
    private Optional<Ended> end = Optional.empty();

    /** @param answerBytesMax of the completion, put together */
    ChatStream(int answerBytesMax) {
        this.answerBytesMax = answerBytesMax;
        this.left = (long) answerBytesMax * OVERHEAD;
    }

    /** How it ended. */
    sealed interface Ended {
        /** There is a completion. */
        record Whole(ObjectNode completion) implements Ended {}

        /** The provider says in the stream that it failed. */
        record Failed(JsonNode error) implements Ended {}

        /**
         * There is none.
         *
         * @param code one of those of {@link ActionResult.Refused}
         * @param why what was wrong, and what to do
         */
        record Broken(String code, String why, int status) implements Ended {}
    }

    /** The pieces that became whole with these bytes. */
    List<JsonNode> read(byte[] bytes) {
        List<JsonNode> came = new ArrayList<>();
        if (end.isPresent()) {
            return came;
        }
        left -= bytes.length;
        if (left < 0) {
            end = Optional.of(tooLarge("its stream is longer than what is read here; ask for less"));
            return came;
        }
        try {
            for (String event : events.read(bytes)) {
                if (end.isEmpty()) {
                    read(event, came);
                }
            }
        } catch (SentEvents.Malformed e) {
            end = Optional.of(
                    e.tooLarge()
                            ? tooLarge("a part of its stream has more than " + EVENT_BYTES_MAX + " bytes")
                            : NO_PIECE);
        }
        return came;
    }

    private void read(String event, List<JsonNode> came) {
        if (event.strip().equals(LAST)) {
            end = Optional.of(whole());
            return;
        }
        try {
            JsonNode piece = AnswerReader.JSON.readTree(event);
            if (piece.hasNonNull("error")) {
                end = Optional.of(new Ended.Failed(piece));
                return;
            }
            pieces.add(piece);
            came.add(piece);
        } catch (JsonProcessingException | IllegalArgumentException e) {
            end = Optional.of(NO_PIECE);
        }
    }

    /** How it ended, if it has. */
    Optional<Ended> ended() {
        return end;
    }

    /** Nothing more comes. */
    Ended over() {
        return end.orElseGet(this::whole);
    }

    private Ended whole() {
        if (!pieces.isWhole()) {
            return new Ended.Broken("provider_error", "its stream ended before the completion did; try again", 502);
        }
        ObjectNode completion = pieces.whole();
        return completion.toString().getBytes(StandardCharsets.UTF_8).length > answerBytesMax
                ? tooLarge("its answer is longer than what is read here; ask for less")
                : new Ended.Whole(completion);
    }

    private static Ended tooLarge(String why) {
        return new Ended.Broken("answer_too_large", why, 422);
    }
}
