package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.Vertx;
import io.vertx.core.json.JsonObject;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CredentialScrubTest {
    private static final String CANARY = "xoxb-Canary/1+2=3 é\"\\";
    private static final CredentialScrub SCRUB = CredentialScrub.of(List.of(CANARY));

    private static String base64(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    /** How the value shows in all that is looked for, each with something of its own to be missed by. */
    private static List<String> forms() {
        byte[] bytes = CANARY.getBytes(StandardCharsets.UTF_8);
        String hex = HexFormat.of().formatHex(bytes);
        String percent = URLEncoder.encode(CANARY, StandardCharsets.UTF_8);
        List<String> forms = new ArrayList<>(List.of(
                CANARY,
                hex,
                hex.toUpperCase(Locale.ROOT),
                percent,
                percent.replace("+", "%20"),
                new JsonObject().put("k", CANARY).encode(),
                Base64.getUrlEncoder().encodeToString(bytes)));
        for (String before : List.of("", "a", "ab", "user:", "Basic x:y:")) {
            forms.add(base64(before + CANARY));
            forms.add(base64(before + CANARY + "and more"));
        }
        return forms;
    }

    /** Seen to fail: with base64 looked for at one offset only. */
    @Test
    void takesAValueOutInEveryFormInWhichAnEchoShowsIt() {
        String middle = base64(CANARY).substring(4, 24);
        for (String form : forms()) {
            String clean = SCRUB.text("before " + form + " after");

            assertThat(clean).startsWith("before ").endsWith(" after").contains("[redacted]");
            assertThat(clean).doesNotContain("Canary", middle, "616e617279", "616E617279");
        }
    }

    private static String escaped(String text, UnaryOperator<String> special) {
        return text.codePoints()
                .mapToObj(Character::toString)
                .map(one -> one.matches("[A-Za-z0-9]") ? one : special.apply(one))
                .collect(Collectors.joining());
    }

    private static String octets(String text, String format) {
        StringBuilder all = new StringBuilder();
        for (byte octet : text.getBytes(StandardCharsets.UTF_8)) {
            all.append(format.formatted(octet));
        }
        return all.toString();
    }

    private static String units(String text, String format) {
        return text.chars().mapToObj(format::formatted).collect(Collectors.joining());
    }

    private static String replaced(String text, String... pairs) {
        String all = text;
        for (int i = 0; i < pairs.length; i += 2) {
            all = all.replace(pairs[i], pairs[i + 1]);
        }
        return all;
    }

    /** The ways in which systems escape what they show. */
    private static Map<String, UnaryOperator<String>> escapes() {
        Map<String, UnaryOperator<String>> all = new LinkedHashMap<>();
        all.put("HTML by name", text -> replaced(text, "&", "&amp;", "<", "&lt;", ">", "&gt;", "\"", "&quot;"));
        all.put(
                "HTML by names of more",
                text -> replaced(
                        text,
                        "&",
                        "&amp;",
                        "\"",
                        "&quot;",
                        "'",
                        "&apos;",
                        "/",
                        "&sol;",
                        "+",
                        "&plus;",
                        "=",
                        "&equals;"));
        all.put("HTML by number", text -> escaped(text, one -> "&#" + one.codePointAt(0) + ";"));
        all.put("HTML by number of 16", text -> escaped(text, one -> "&#x%x;".formatted(one.codePointAt(0))));
        all.put("HTML by long number of 16", text -> escaped(text, one -> "&#X%06X;".formatted(one.codePointAt(0))));
        all.put("JSON", text -> replaced(text, "\\", "\\\\", "\"", "\\\""));
        all.put("JSON with slashes", text -> replaced(text, "\\", "\\\\", "\"", "\\\"", "/", "\\/"));
        all.put("JSON by number", text -> escaped(text, one -> units(one, "\\u%04x")));
        all.put("JSON by NUMBER", text -> escaped(text, one -> units(one, "\\u%04X")));
        all.put("JSON all by number", text -> units(text, "\\u%04x"));
        all.put("percent", text -> escaped(text, one -> octets(one, "%%%02x")));
        all.put("PERCENT", text -> escaped(text, one -> octets(one, "%%%02X")));
        all.put("percent of all", text -> octets(text, "%%%02x"));
        return all;
    }

    /**
     * Also of credentials that look as if they were escaped themselves. Seen to fail: with one layer undone (twice and three times), without
     * HTML's, JSON's or percent's escapes, without the forms of such credentials below their own escapes, and with the positions of a layer taken for those of the
     * text.
     */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "xoxb-Canary/1+2=3 é\"\\",
                "<Canary>&'0123'\uD83D\uDE00/+=;#",
                "Canary%2B/&amp;+\\n\\u0041&#43;%41==",
                "0123456789Canary"
            })
    void takesOutWhatIsEscapedUpToThreeTimes(String credential) {
        CredentialScrub scrub = CredentialScrub.of(List.of(credential));
        var ways = escapes();
        List<String> seen = new ArrayList<>();
        ways.forEach((first, one) -> ways.forEach((second, two) -> ways.forEach((third, three) -> {
            for (String value : List.of(credential, base64(credential))) {
                String once = one.apply(value);
                String twice = two.apply(once);
                for (String shown : List.of(once, twice, three.apply(twice))) {
                    // Beside escapes that are somebody else's, and stay as they came.
                    String clean = scrub.text("é &lt;b&gt; \\\" %20: " + shown + " \\u00e9 &amp; 100%");
                    if (!clean.startsWith("é &lt;b&gt; \\\" %20: [redacted]")
                            || !clean.replace("%3d", "=").endsWith(" \\u00e9 &amp; 100%")
                            || clean.contains("anary")) {
                        seen.add(first + ", " + second + ", " + third + ": " + clean);
                    }
                }
            }
        })));

        assertThat(seen).isEmpty();
    }

    /** Seen to fail: with no budget for the comparing, when the last text comes back as it is, and late. */
    @Test
    @Timeout(30)
    void isDoneSoonWithAMebibyteOfWhateverThereIs() {
        List<String> secrets = new ArrayList<>(List.of("a".repeat(8_000) + "b", "xoxb-Canary/1+2=3"));
        for (int i = 0; i < 60; i++) {
            secrets.add("%08x-of-sixty".formatted(i * 0x9E3779B1));
        }
        CredentialScrub scrub = CredentialScrub.of(secrets);
        for (String piece : List.of(
                "\\",
                "&",
                "%",
                "\\\\\"",
                "&amp;",
                "&amp;amp;amp;amp;amp;",
                "%25",
                "%252525252525",
                "\\u005c",
                "&#x26;#x26;",
                "&#38;",
                "&;",
                "%C3%",
                "xoxb-Cana")) {
            String much = piece.repeat((1 << 20) / piece.length());

            assertThat(scrub.text(much)).as(piece).isEqualTo(much);
            assertThat(scrub.text(much + "xoxb-Canary\\/1%2B2&#61;3")).as(piece).isEqualTo(much + "[redacted]");
        }
        assertThat(scrub.text("xoxb-Canary/1+2=3".repeat(1 << 16))).isEqualTo("[redacted]".repeat(1 << 16));
        // What looks like a credential all along is not compared for ever.
        assertThat(scrub.text("a".repeat(1 << 20))).isEqualTo("[redacted]");
    }

    @Test
    void takesOutAsOneWhatOverlaps() {
        CredentialScrub scrub = CredentialScrub.of(List.of("abcdefgh", "ghijklm", "defg"));

        assertThat(scrub.text("1abcdefghijklm2defg&#100;efg3")).isEqualTo("1[redacted]2[redacted][redacted]3");
        assertThat(scrub.isClean("abcdef&amp;gh")).isTrue();
        assertThat(scrub.isClean("&#97;bcdefgh")).isFalse();
    }

    @Test
    void takesItOutOfNamesAndDepths() {
        var document = Calls.object(new JsonObject()
                .put(CANARY, new JsonObject().put("list", List.of("a " + CANARY, 1, true)))
                .put("other", "kept")
                .encode());

        assertThat(SCRUB.document(document))
                .isEqualTo(Calls.object("{\"[redacted]\":{\"list\":[\"a [redacted]\",1,true]},\"other\":\"kept\"}"));
    }

    /** Seen to fail with the lines around a key taken for secrets, and with each comparison counted whole. */
    @Test
    void leavesTablesOfDashesAloneWhereAKeyBeginsWithThem() {
        CredentialScrub scrub = CredentialScrub.of(
                List.of("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\n-----END PRIVATE KEY-----\n"));
        String table = "| a &amp;amp;amp; b | c |\n" + "|--------------------|------|\n".repeat(20_000);

        assertThat(scrub.text(table)).isEqualTo(table);
        assertThat(scrub.text("paste what is between -----BEGIN PRIVATE KEY----- and -----END PRIVATE KEY-----"))
                .doesNotContain("redacted");
    }

    @Test
    void takesOutTheLinesOfAKey() {
        CredentialScrub scrub =
                CredentialScrub.of(List.of("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n"));

        assertThat(scrub.text("x hkiG9w0BAQEFAASC y")).isEqualTo("x [redacted] y");
        assertThat(scrub.text("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC")).isEqualTo("[redacted][redacted]");
    }

    @Test
    void saysNothingOfItself() {
        assertThat(SCRUB.toString()).doesNotContain("Canary");
        assertThat(new OutboundRequest(
                                "GET",
                                BaseUrl.parse("https://api.example.com", Set.of()),
                                "/x?k=" + "Canary",
                                Map.of("authorization", "Canary"),
                                Optional.empty())
                        .toString())
                .doesNotContain("Canary");
    }

    /** Everything that comes back of a system that repeats what it was sent, as a result and as an error, and everything that is logged. */
    @ParameterizedTest
    @ValueSource(ints = {200, 400, 401, 403, 404, 409, 429, 500, 503})
    void leavesNoCredentialAnywhere(int status) {
        String canary = "xoxb-Canary-0123456789";
        List<String> logged = new ArrayList<>();
        Handler handler = new Handler() {
            @Override
            public void publish(LogRecord record) {
                logged.add(record.getMessage() + " " + record.getThrown());
            }

            @Override
            public void flush() {}

            @Override
            public void close() {}
        };
        Logger root = Logger.getLogger("");
        Level before = root.getLevel();
        root.addHandler(handler);
        root.setLevel(Level.ALL);
        Vertx vertx = Vertx.vertx();
        try (LocalServer echo = LocalServer.start(vertx, (request, response) -> {
                    String said = new JsonObject(new LinkedHashMap<>(request.headers())).encode();
                    LocalServer.json(
                            response,
                            status,
                            new JsonObject()
                                    .put("ok", status == 200)
                                    .put("error", said + base64("user:" + canary) + base64(canary))
                                    .put("message", said)
                                    .encode());
                });
                Calls calls = new Calls(vertx, "slack")) {
            String settings = Calls.texts(Map.of("base_url", "http://slack.test:" + echo.port()));
            for (String action : List.of("slack.auth_test", "slack.post_message")) {
                String result = calls.call(
                                action,
                                settings,
                                Calls.texts(Map.of("bot_token", canary)),
                                "{\"channel\":\"C1\",\"text\":\"x\"}")
                        .toString();

                assertThat(echo.last().header("authorization")).isEqualTo("Bearer " + canary);
                assertThat(result)
                        .doesNotContain(
                                "Canary",
                                base64("Canary").substring(0, 6),
                                base64(canary).substring(4, 20));
            }
            assertThat(calls.request("slack.auth_test", settings, Calls.texts(Map.of("bot_token", canary)), "{}")
                            .toString())
                    .doesNotContain("Canary");
        } finally {
            root.removeHandler(handler);
            root.setLevel(before);
            vertx.close();
        }
        assertThat(logged).noneMatch(line -> line.contains("Canary"));
    }
}
