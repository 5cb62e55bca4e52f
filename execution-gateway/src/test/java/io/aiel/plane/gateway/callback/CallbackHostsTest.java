package io.aiel.plane.gateway.callback;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CallbackHostsTest {
    private static final CallbackHosts HOSTS =
            CallbackHosts.of(List.of("hooks.example.com", "hooks.example.com:8443", "http://ci.internal:8080"));

    private static Optional<String> refusal(String url) {
        return HOSTS.refusal(CallbackUrl.parse(url), Optional.empty());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "https://hooks.example.com/x?y=z",
                "https://hooks.example.com:443",
                "HTTPS://Hooks.Example.Com./x",
                "https://hooks.example.com:8443/x",
                "http://ci.internal:8080/"
            })
    void allowsWhatTheOperatorNamed(String url) {
        assertThat(refusal(url)).isEmpty();
    }

    /** Seen failing when scheme and port did not count. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "https://example.com/",
                "https://a.hooks.example.com/",
                "https://hooks.example.com.evil.test/",
                "https://hooks.example.com:444/",
                "http://hooks.example.com/",
                "http://hooks.example.com:443/",
                "https://ci.internal:8080/",
                "http://ci.internal/"
            })
    void refusesWhatIsOnlyLikeIt(String url) {
        assertThat(refusal(url)).isPresent();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "/x",
                "hooks.example.com",
                "//hooks.example.com/x",
                "file:///etc/passwd",
                "https:hooks.example.com",
                "https://",
                "https://user:password@hooks.example.com/",
                "https://hooks.example.com@evil.test/",
                "https://hooks.example.com/#x",
                "https://hooks.example.com\\@evil.test/",
                "https://127.0.0.1/",
                "https://2130706433/",
                "https://0x7f000001/",
                "https://127.1/",
                "https://[::1]/",
                "https://hooks.example.com:0/",
                "https://hooks.example.com:65536/",
                "https://hooks.example.com/a b",
                "https://hooks.example.com/\r\nx: y",
                "https://hóoks.example.com/"
            })
    void readsNoUrlThatOthersMightReadOtherwise(String url) {
        assertThatThrownBy(() -> CallbackUrl.parse(url)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void keepsToWhatTheProjectAllowsOfThem() {
        CallbackUrl url = CallbackUrl.parse("https://hooks.example.com/x");

        assertThat(HOSTS.refusal(url, Optional.of(Set.of("other.example.com")))).isPresent();
        assertThat(HOSTS.refusal(url, Optional.of(Set.of()))).isPresent();
        assertThat(HOSTS.refusal(url, Optional.of(Set.of("hooks.example.com")))).isEmpty();
    }

    @Test
    void allowsNothingWhenNothingIsNamed() {
        assertThat(CallbackHosts.of(List.of())
                        .refusal(CallbackUrl.parse("https://hooks.example.com/"), Optional.empty()))
                .isPresent();
    }

    @Test
    void namesAllThatIsWrongInTheSetting() {
        assertThatThrownBy(() -> CallbackHosts.of(List.of("*.example.com", "hooks.example.com/x", "10.0.0.1")))
                .hasMessageContaining("*.example.com")
                .hasMessageContaining("hooks.example.com/x")
                .hasMessageContaining("10.0.0.1");
    }

    @Test
    void showsNeitherPathNorQuery() {
        assertThat(CallbackUrl.parse("https://hooks.example.com/secret?token=x").toString())
                .isEqualTo("https://hooks.example.com:443");
    }
}
