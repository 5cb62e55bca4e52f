package io.aiel.plane.gateway.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.vocabulary.ErrorCode;
import io.vertx.core.MultiMap;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a handler gets of a request, and which requests no handler gets. */
class HandlerRequestTest {
    private static final String BASE = "/v1/workspaces/w/projects/p/http";
    private static final ObjectMapper JSON = new ObjectMapper();

    @ParameterizedTest
    @CsvSource({
        "'', /",
        "/, /",
        "/hello, /hello",
        "/hello/, /hello/",
        "/a/b/c, /a/b/c",
        "/%C3%A4%20b, /ä b",
        "/a+b, /a+b",
        "/100%25, /100%",
        "/%252e%252e, /%2e%2e",
        "/a:b@c, /a:b@c",
        "/..., /...",
    })
    void readsThePathBelowTheProjectsHandlers(String given, String path) {
        assertThat(HandlerRequest.path(BASE + given)).isEqualTo(path);
    }

    /** Seen failing for the encoded dots and slashes when a segment is checked before it is decoded. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "//a", "/a//b", "/a//", "/.", "/..", "/a/../b", "/a/./b", "/%2e%2e/a", "/a/%2E", "/.%2e/a", "/..;/a",
                        "/a;x=1",
                "/a%2fb", "/a%2Fb", "/a%5cb", "/a%5Cb", "/a%00", "/a%0d%0aX: y", "/a%0a", "/a%7f", "/%c3", "/%c0%ae",
                        "/%", "/%zz",
                "/ä"
            })
    void refusesAPathThatAnotherReaderMayTakeForAnother(String given) {
        assertThatThrownBy(() -> HandlerRequest.path(BASE + given))
                .isInstanceOfSatisfying(
                        Refusal.class, refusal -> assertThat(refusal.code()).isEqualTo(ErrorCode.MALFORMED_REQUEST));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/v1/workspaces/w/projects/p/htt%70/a",
                "/v1//workspaces/w/projects/p/http/a",
                "/v1/./workspaces/w/projects/p/http/a",
                "/V1/workspaces/w/projects/p/http/a",
                "/v1/workspaces//projects/p/http/a",
                "/v1/workspaces/w/projects/p"
            })
    void refusesAPrefixThatIsSpeltInAnotherWay(String target) {
        assertThatThrownBy(() -> HandlerRequest.path(target)).isInstanceOf(Refusal.class);
    }

    @Test
    void givesOneTextForAParameterThatIsThereOnceAndAListForMore() {
        assertThat(HandlerRequest.query("a=1&b=2&b=3&b=&A=4&c&=x&&d=a%26b%3D+c").toString())
                .isEqualTo("{\"a\":\"1\",\"b\":[\"2\",\"3\",\"\"],\"A\":\"4\",\"c\":\"\",\"\":\"x\",\"d\":\"a&b= c\"}");
        assertThat(HandlerRequest.query(null)).isEmpty();
    }

    /** Seen failing with authorization, x-api-token, cookie or transfer-encoding taken out of the list. */
    @Test
    void keepsTokensCookiesAndWhatIsOfTheConnectionBack() {
        MultiMap sent = MultiMap.caseInsensitiveMultiMap()
                .add("Authorization", "Bearer x")
                .add("X-API-Token", "x")
                .add("Cookie", "a=b")
                .add("Connection", "close, X-Mine")
                .add("X-Mine", "1")
                .add("Transfer-Encoding", "chunked")
                .add("X-Other", "aielp_usr_0123456789abcdefghijABCDEFGHIJ012345")
                .add("X-A", "1")
                .add("x-a", "2")
                .add("Accept", "text/html");

        assertThat(HandlerRequest.headers(sent).toString()).isEqualTo("{\"x-a\":\"1, 2\",\"accept\":\"text/html\"}");
    }

    @ParameterizedTest
    @ValueSource(strings = {"application/json", "Application/JSON; charset=UTF-8", "application/merge-patch+json", ""})
    void takesAJsonObject(String type) throws Exception {
        assertThat(HandlerRequest.body(bytes("{\"a\": 1}"), type(type), JSON)
                        .path("a")
                        .asInt())
                .isEqualTo(1);
        assertThat(HandlerRequest.body(new byte[0], type(type), JSON)).isEmpty();
        assertThat(HandlerRequest.body(null, type(type), JSON)).isEmpty();
    }

    @Test
    void refusesBodiesThatTheRuntimesContractDoesNotAllow() {
        assertCode(bytes("a=b"), "application/x-www-form-urlencoded", ErrorCode.UNSUPPORTED_MEDIA_TYPE);
        assertCode(bytes("{}"), "text/plain", ErrorCode.UNSUPPORTED_MEDIA_TYPE);
        assertCode(bytes("{}"), "application/json; charset=utf-16", ErrorCode.UNSUPPORTED_MEDIA_TYPE);
        assertCode(bytes("[1]"), "application/json", ErrorCode.VALIDATION_ERROR);
        assertCode(
                new byte[] {'{', '"', (byte) 0xff, '"', ':', '1', '}'},
                "application/json",
                ErrorCode.MALFORMED_REQUEST);
    }

    private static void assertCode(byte[] body, String type, ErrorCode code) {
        assertThatThrownBy(() -> HandlerRequest.body(body, type(type), JSON))
                .isInstanceOfSatisfying(
                        Refusal.class, refusal -> assertThat(refusal.code()).isEqualTo(code));
    }

    private static MultiMap type(String type) {
        MultiMap headers = MultiMap.caseInsensitiveMultiMap();
        return type.isEmpty() ? headers : headers.add("Content-Type", type);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
