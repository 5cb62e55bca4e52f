package io.aiel.plane.gateway.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

/** The header Prefer, as RFC 7240 writes it. */
class PreferencesTest {
    @Test
    void findsTheOneAmongOthersHoweverItIsWritten() {
        for (String sent : List.of(
                "respond-async",
                "Respond-Async",
                "respond-async, wait=10",
                "return=minimal,respond-async",
                "wait=10 , respond-async;foo=bar",
                "priority=\"a,b\", respond-async")) {
            assertThat(Preferences.respondAsync(List.of(sent))).as(sent).isTrue();
        }
        assertThat(Preferences.respondAsync(List.of("wait=1", "respond-async"))).isTrue();
    }

    @Test
    void ignoresWhatItDoesNotKnow() {
        for (String sent : List.of(
                "",
                ",,",
                "respond-asynchronously",
                "x-respond-async",
                "foo=\"respond-async\"",
                "foo=\"a, respond-async\"",
                "foo; respond-async",
                "\"respond-async")) {
            assertThat(Preferences.respondAsync(List.of(sent))).as(sent).isFalse();
        }
        assertThat(Preferences.respondAsync(List.of())).isFalse();
    }
}
