package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertx.core.buffer.Buffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Replies come in whatever parts the network makes of them, and from whoever answers there. */
class RedisRepliesTest {
    private static final String ALL =
            "+OK\r\n-ERR no\r\n:-7\r\n$3\r\na\r\n\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n*3\r\n:1\r\n*2\r\n$1\r\nx\r\n+y\r\n$-1\r\n";

    private static List<RedisReply> whole() {
        return new RedisReplies(1_000).feed(Buffer.buffer(ALL));
    }

    @Test
    void readsEachKind() {
        assertThat(whole())
                .containsExactly(
                        new RedisReply.Word("OK"),
                        new RedisReply.Fault("ERR no"),
                        new RedisReply.Count(-7),
                        new RedisReply.Bytes(Buffer.buffer("a\r\n")),
                        new RedisReply.Bytes(Buffer.buffer()),
                        new RedisReply.Nothing(),
                        new RedisReply.Nothing(),
                        new RedisReply.Items(List.of()),
                        new RedisReply.Items(List.of(
                                new RedisReply.Count(1),
                                new RedisReply.Items(
                                        List.of(new RedisReply.Bytes(Buffer.buffer("x")), new RedisReply.Word("y"))),
                                new RedisReply.Nothing())));
    }

    @Test
    void readsTheSameInWhateverParts() {
        Random random = new Random(7);
        for (int round = 0; round < 500; round++) {
            RedisReplies replies = new RedisReplies(1_000);
            List<RedisReply> got = new ArrayList<>();
            for (int at = 0; at < ALL.length(); ) {
                int to = Math.min(ALL.length(), at + 1 + random.nextInt(round % 2 == 0 ? 1 : 9));
                got.addAll(replies.feed(Buffer.buffer(ALL.substring(at, to))));
                at = to;
            }
            assertThat(got).isEqualTo(whole());
        }
    }

    /** Whatever comes, it is replies, or no RESP, or too large: nothing else is thrown, and nothing is kept beyond the limit. */
    @Test
    void takesAnyBytes() {
        Random random = new Random(11);
        String likely = "+-:$*\r\n0123456789-abc";
        for (int round = 0; round < 20_000; round++) {
            RedisReplies replies = new RedisReplies(200);
            StringBuilder text = new StringBuilder();
            int length = random.nextInt(60);
            for (int i = 0; i < length; i++) {
                text.append(likely.charAt(random.nextInt(likely.length())));
                if (random.nextInt(4) == 0) {
                    text.append("\r\n");
                }
            }
            try {
                replies.feed(Buffer.buffer(text.toString()));
                replies.feed(Buffer.buffer(text.toString()));
            } catch (RedisReplies.Invalid | RedisReplies.TooLarge expected) {
                assertThat(expected.getMessage()).isNotEmpty();
            }
        }
    }

    @Test
    void waitsForNothingThatItWouldNotTake() {
        for (String announced : List.of("$1001\r\n", "*251\r\n", "$99999999999\r\n", "*2\r\n$1001\r\n")) {
            assertThatThrownBy(() -> new RedisReplies(1_000).feed(Buffer.buffer(announced)))
                    .as(announced)
                    .isInstanceOf(RedisReplies.TooLarge.class);
        }
        RedisReplies replies = new RedisReplies(100);
        replies.feed(Buffer.buffer("$90\r\n" + "x".repeat(80)));
        assertThatThrownBy(() -> replies.feed(Buffer.buffer("x".repeat(20)))).isInstanceOf(RedisReplies.TooLarge.class);
    }

    @Test
    void countsAnewForEachExchange() {
        RedisReplies replies = new RedisReplies(20);
        for (int i = 0; i < 10; i++) {
            replies.start();
            assertThat(replies.feed(Buffer.buffer("$10\r\n0123456789\r\n"))).hasSize(1);
        }
    }

    @Test
    void knowsWhatIsNoReply() {
        for (String wrong : List.of(
                "\r\n", "x\r\n", "$1\r\nab\r\n", "$-2\r\n", ":\r\n", "*1\r\n".repeat(9), "+" + "x".repeat(5_000))) {
            assertThatThrownBy(() -> new RedisReplies(10_000).feed(Buffer.buffer(wrong)))
                    .as(wrong)
                    .isInstanceOf(RedisReplies.Invalid.class);
        }
    }
}
