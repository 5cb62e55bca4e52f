package io.aiel.plane.gateway.http;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.pgclient.PgException;
import java.io.IOException;
import java.net.ConnectException;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DatabaseGoneTest {
    @ParameterizedTest
    @ValueSource(strings = {"08006", "57P01", "57P03", "53300"})
    void isTheCauseWhenPostgresqlLetsNobodyIn(String state) {
        assertThat(DatabaseGone.isCauseOf(new CompletionException(refused(state))))
                .isTrue();
    }

    @Test
    void isTheCauseWhenItsPortIsClosed() {
        assertThat(DatabaseGone.isCauseOf(new IllegalStateException(new ConnectException("refused"))))
                .isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"23505", "40001", "42P01", "22021"})
    void isNotTheCauseWhenAStatementWasWrong(String state) {
        assertThat(DatabaseGone.isCauseOf(refused(state))).isFalse();
    }

    @Test
    void isNotTheCauseOfOtherFaultsAndACircleOfCausesEnds() {
        IllegalStateException one = new IllegalStateException("one");
        one.initCause(new IOException("two", one));

        assertThat(DatabaseGone.isCauseOf(one)).isFalse();
    }

    private static PgException refused(String state) {
        return new PgException("no", "FATAL", state, "");
    }
}
