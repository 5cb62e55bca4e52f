package io.aiel.plane.gateway.integration;

import io.vertx.core.buffer.Buffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;

/**
 * A command with its arguments. The words are a closed set, and arguments go with their length before them, so that nothing in one can be taken for
 * another argument or command. Immutable; its text has no arguments, since those may be secret.
 */
final class RedisCommand {
    /** All that is ever sent. */
    enum Word {
        AUTH,
        DEL,
        EXEC,
        EXPIRE,
        GET,
        HDEL,
        HGET,
        HSCAN,
        HSET,
        INCRBY,
        MULTI,
        PING,
        SELECT,
        SET
    }

    private final Word word;
    private final List<Buffer> arguments;

    private RedisCommand(Word word, List<Buffer> arguments) {
        this.word = word;
        this.arguments = List.copyOf(arguments);
    }

    static RedisCommand of(Word word, String... arguments) {
        return of(word, Arrays.asList(arguments));
    }

    static RedisCommand of(Word word, List<String> arguments) {
        return new RedisCommand(
                word,
                arguments.stream()
                        .map(text -> Buffer.buffer(text.getBytes(StandardCharsets.UTF_8)))
                        .toList());
    }

    /** As an array of texts with their lengths, the one form in which commands go. */
    void writeTo(Buffer to) {
        to.appendString("*" + (arguments.size() + 1) + "\r\n");
        write(Buffer.buffer(word.name()), to);
        arguments.forEach(argument -> write(argument, to));
    }

    private static void write(Buffer argument, Buffer to) {
        to.appendString("$" + argument.length() + "\r\n").appendBuffer(argument).appendString("\r\n");
    }

    @Override
    public String toString() {
        return word + "(" + arguments.size() + ")";
    }
}
