package io.aiel.plane.gateway.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Collections;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class EmbeddingTest {
    private static Optional<Embedding> read(String list) {
        try {
            return Embedding.of(new ObjectMapper().readTree(list));
        } catch (JsonProcessingException e) {
            throw new AssertionError(list, e);
        }
    }

    private static double cosine(String one, String other) {
        return read(one).orElseThrow().cosine(read(other).orElseThrow().bytes());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "[1, 0]|[1, 0]|1",
                "[1, 0]|[0, 5]|0",
                "[1, 0]|[-3, 0]|-1",
                "[1, 1]|[1, 0]|0.70710678",
                "[1, 2, 3]|[3, 2, 1]|0.71428571",
                "[0.1]|[7]|1",
                "[1e300, 1e300]|[1, 0]|0.70710678",
                "[1e-300, 0]|[1e-300, 1e-300]|0.70710678",
                "[1e308, -1e308]|[1e-320, -1e-320]|1",
            })
    void comparesDirectionsWhateverTheLengths(String one, String other, double cosine) {
        assertThat(cosine(one, other))
                .isEqualTo(cosine(other, one))
                .isCloseTo(cosine, within(1e-6))
                .isBetween(-1.0, 1.0);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "[]",
                "[0, 0.0]",
                "[1, \"2\"]",
                "[1, null]",
                "[[1]]",
                "{\"0\": 1}",
                "1",
                "\"[1]\"",
                "[1e400]",
                "[true]"
            })
    void isNoneWhereThereIsNoDirection(String list) {
        assertThat(read(list)).isEmpty();
    }

    @Test
    void has4096DimensionsAtMost() {
        assertThat(read(Collections.nCopies(4_096, 1).toString()))
                .map(Embedding::size)
                .contains(16_384);
        assertThat(read(Collections.nCopies(4_097, 1).toString())).isEmpty();
    }

    @Test
    void showsNothingOfItsNumbers() {
        assertThat(read("[0.25, 1]").orElseThrow()).hasToString("Embedding(2)");
    }
}
