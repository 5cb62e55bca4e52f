package io.aiel.plane.vocabulary;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Both seen failing when pairs are refused and halves are taken. */
class UnicodeTextTest {
    @ParameterizedTest
    @ValueSource(strings = {"", "a", "\u00e9\0\uffff", "\ud83d\ude00", "a\ud83d\ude00\ud83d\ude00b"})
    void takesPairs(String text) {
        assertThat(UnicodeText.isWellFormed(text)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"\ud83d", "\ude00", "\ude00\ud83d", "a\ud83d", "\ud83da", "\ud83d\ud83d\ude00"})
    void refusesHalves(String text) {
        assertThat(UnicodeText.isWellFormed(text)).isFalse();
    }
}
