package io.aiel.plane.vocabulary;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class DigestTest {
    /** The examples of FIPS 180-2. */
    @Test
    void isSha256() {
        assertThat(Digest.of("abc").value())
                .isEqualTo("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assertThat(Digest.of("").hex()).isEqualTo("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    /** The algorithm's state is a thread's own. */
    @Test
    void isTheSameOnManyThreads() throws Exception {
        String text = "x".repeat(10_000);
        Digest expected = Digest.of(text);
        try (var threads = Executors.newFixedThreadPool(8)) {
            var found = IntStream.range(0, 2_000)
                    .mapToObj(_ -> threads.submit(() -> Digest.of(text)))
                    .toList();
            for (Future<Digest> digest : found) {
                assertThat(digest.get()).isEqualTo(expected);
            }
        }
    }
}
