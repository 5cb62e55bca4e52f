package io.aiel.plane.gateway.integration;

import io.vertx.core.buffer.Buffer;
import java.util.List;

/** What a Redis server answers to one command, as RESP2 has it. */
sealed interface RedisReply {
    /** A short word, such as {@code OK}. */
    record Word(String text) implements RedisReply {}

    /** It refuses the command; the text begins with a word that says of what kind the refusal is. */
    record Fault(String text) implements RedisReply {
        String kind() {
            return text.split(" ", 2)[0];
        }
    }

    record Count(long value) implements RedisReply {}

    /** Bytes; nobody changes them. */
    record Bytes(Buffer value) implements RedisReply {
        @Override
        public String toString() {
            return "Bytes(" + value.length() + ")";
        }
    }

    /** There is nothing. */
    record Nothing() implements RedisReply {}

    record Items(List<RedisReply> values) implements RedisReply {
        public Items {
            values = List.copyOf(values);
        }
    }
}
