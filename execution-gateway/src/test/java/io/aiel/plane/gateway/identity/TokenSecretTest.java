package io.aiel.plane.gateway.identity;

import static org.assertj.core.api.Assertions.assertThat;

import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.UniEmitter;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TokenSecretTest {
    @Test
    void hasTheDocumentedFormAndReadsBack() {
        TokenSecret token = TokenSecret.mint(TokenKind.USER);

        assertThat(token.reveal()).matches("aielp_usr_[0-9A-Za-z]{36}");
        assertThat(TokenSecret.parse(token.reveal())).contains(token);
        assertThat(token.hash().value()).startsWith("sha256:").doesNotContain(token.reveal());
    }

    @Test
    void isNeverTheSameTwice() {
        Set<String> seen = new HashSet<>();
        for (int i = 0; i < 1_000; i++) {
            assertThat(seen.add(TokenSecret.mint(TokenKind.SERVICE).reveal())).isTrue();
        }
    }

    /** Meant to fail when broken by leaving the comparison of checksums out of {@code parse}: every change was read. */
    @Test
    void refusesATokenOfWhichAnyOneCharacterWasChanged() {
        String token = TokenSecret.mint(TokenKind.USER).reveal();
        for (int i = "aielp_usr_".length(); i < token.length(); i++) {
            char other = token.charAt(i) == 'a' ? 'b' : 'a';
            String changed = token.substring(0, i) + other + token.substring(i + 1);

            assertThat(TokenSecret.parse(changed)).as("position %d", i).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "aielp",
                "aielp_usr_",
                "aielp_usr_!",
                "Bearer x",
                "aielp_xxx_000000000000000000000000000000000000"
            })
    void refusesWhatIsNoToken(String text) {
        assertThat(TokenSecret.parse(text)).isEmpty();
    }

    @Test
    void doesNotShowItselfInLogs() {
        TokenSecret token = TokenSecret.mint(TokenKind.USER);

        assertThat(token.toString())
                .doesNotContain(token.reveal().substring(10, 20))
                .contains("redacted");
    }

    @Test
    void takesOneTokenFromTheHeadersOrNone() {
        TokenSecret one = TokenSecret.mint(TokenKind.USER);
        String two = TokenSecret.mint(TokenKind.USER).reveal();

        assertThat(Authentication.presented(List.of(one.reveal()), List.of())).contains(one);
        assertThat(Authentication.presented(List.of(), List.of("Bearer " + one.reveal())))
                .contains(one);
        assertThat(Authentication.presented(List.of(one.reveal()), List.of("Bearer " + one.reveal())))
                .contains(one);
        assertThat(Authentication.presented(List.of(one.reveal()), List.of("Bearer " + two)))
                .isEmpty();
        assertThat(Authentication.presented(List.of(one.reveal(), two), List.of()))
                .isEmpty();
        assertThat(Authentication.presented(List.of(one.reveal()), List.of("Basic eDp5")))
                .isEmpty();
        assertThat(Authentication.presented(List.of(), List.of())).isEmpty();
    }

    @ParameterizedTest(name = "{0} covers {1}: {2}")
    @CsvSource({
        "*,            files.write,    true",
        "*,            *,              true",
        "*,            files.*,        true",
        "*,            platform.*,     false",
        "*,            platform.read,  false",
        "files.*,      files.write,    true",
        "files.*,      files.*,        true",
        "files.*,      *,              false",
        "files.*,      filesystem.read, false",
        "files.write,  files.write,    true",
        "files.write,  files.*,        false",
        "platform.*,   platform.read,  true",
        "platform.*,   files.write,    false",
    })
    void knowsWhichScopeCoversWhich(String held, String wanted, boolean covers) {
        assertThat(Scopes.covers(Set.of(held), wanted)).isEqualTo(covers);
    }

    @Test
    void remembersForItsTimeAndForgetsExactly() {
        AtomicLong now = new AtomicLong();
        AtomicInteger lookups = new AtomicInteger();
        BriefCache<String, Integer> cache = new BriefCache<>(Duration.ofSeconds(1), 10, now::get);

        assertThat(ask(cache, lookups)).contains(1);
        now.set(Duration.ofSeconds(1).toNanos());
        assertThat(ask(cache, lookups)).contains(1);
        now.set(Duration.ofSeconds(1).toNanos() + 1);
        assertThat(ask(cache, lookups)).contains(2);
        cache.forgetAll();
        assertThat(ask(cache, lookups)).contains(3);
    }

    /** Meant to fail when broken by keeping entries whose lookup was under way in {@code forgetAll}: the old answer was remembered. */
    @Test
    void doesNotRememberWhatWasLookedUpBeforeItForgot() {
        BriefCache<String, Integer> cache = new BriefCache<>(Duration.ofSeconds(1), 10, () -> 0);
        List<UniEmitter<? super Optional<Integer>>> underWay = new java.util.ArrayList<>();
        List<Optional<Integer>> answers = new java.util.ArrayList<>();
        var _ = cache.get("k", _ -> Uni.createFrom().emitter(underWay::add))
                .subscribe()
                .with(answers::add);

        cache.forgetAll();
        underWay.getFirst().complete(Optional.of(1));

        assertThat(answers).containsExactly(Optional.of(1));
        assertThat(cache.get("k", _ -> Uni.createFrom().item(Optional.of(2)))
                        .await()
                        .atMost(Duration.ofSeconds(5)))
                .contains(2);
    }

    @Test
    void holdsNoMoreThanItsLimit() {
        BriefCache<Integer, Integer> cache = new BriefCache<>(Duration.ofSeconds(1), 3, () -> 0);
        for (int i = 0; i < 100; i++) {
            int value = i;
            assertThat(cache.get(i, _ -> Uni.createFrom().item(Optional.of(value)))
                            .await()
                            .atMost(Duration.ofSeconds(5)))
                    .contains(value);
            assertThat(cache.size()).isLessThanOrEqualTo(3);
        }
    }

    private static Optional<Integer> ask(BriefCache<String, Integer> cache, AtomicInteger lookups) {
        return cache.get("k", _ -> Uni.createFrom().item(() -> Optional.of(lookups.incrementAndGet())))
                .await()
                .atMost(Duration.ofSeconds(5));
    }
}
