package io.aiel.plane.hydrator.egress;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class RequestHeadTest {
    private static RequestHead read(String head) throws RequestHead.Malformed {
        byte[] bytes = head.getBytes(StandardCharsets.ISO_8859_1);
        int end = RequestHead.end(bytes, bytes.length);
        assertThat(end).as("a whole head").isEqualTo(bytes.length);
        return RequestHead.read(bytes, end);
    }

    private static String lines(String text) {
        return text.replace("\n", "\r\n");
    }

    @Test
    void readsConnectWithAndWithoutAHost() throws RequestHead.Malformed {
        for (String host : new String[] {"", "Host: api.example.com:443\r\n", "Host: API.example.com\r\n"}) {
            RequestHead head = read("CONNECT api.example.com:443 HTTP/1.1\r\n" + host + "\r\n");

            assertThat(head.connect()).isTrue();
            assertThat(head.host()).isEqualTo("api.example.com");
            assertThat(head.port()).isEqualTo(443);
        }
    }

    @Test
    void sendsOnTheServersOwnPathAndNothingThatConcernsTheProxy() throws RequestHead.Malformed {
        RequestHead head = read(lines("""
                POST http://files.example.com:8080/a/b?c=d HTTP/1.1
                Host: files.example.com:8080
                Proxy-Authorization: Basic eA==
                Connection: keep-alive, X-Private
                X-Private: 1
                Upgrade: websocket
                Content-Length: 5
                Accept: */*

                """));

        assertThat(new String(head.forServer(), StandardCharsets.ISO_8859_1)).isEqualTo(lines("""
                POST /a/b?c=d HTTP/1.1
                Host: files.example.com:8080
                Content-Length: 5
                Accept: */*
                Connection: close

                """));
        assertThat(head.contentLength()).hasValue(5L);
    }

    @Test
    void aClientCannotHaveItsHostTakenAway() throws RequestHead.Malformed {
        RequestHead head =
                read("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nConnection: host, content-length\r\n\r\n");

        assertThat(new String(head.forServer(), StandardCharsets.ISO_8859_1)).contains("Host: a.example\r\n");
    }

    @Test
    void aPathIsNeverEmpty() throws RequestHead.Malformed {
        assertThat(read("GET http://a.example HTTP/1.1\r\nHost: a.example\r\n\r\n")
                        .path())
                .isEqualTo("/");
        assertThat(read("GET http://a.example?q HTTP/1.1\r\nHost: a.example:80\r\n\r\n")
                        .path())
                .isEqualTo("/?q");
    }

    @ParameterizedTest(name = "{argumentSetName}")
    @MethodSource
    void refusesWhatCouldBeReadInTwoWays(String head) {
        assertThatThrownBy(() -> read(head)).isInstanceOf(RequestHead.Malformed.class);
    }

    static Stream<Arguments> refusesWhatCouldBeReadInTwoWays() {
        String get = "GET http://a.example/ HTTP/1.1\r\n";
        String host = "Host: a.example\r\n";
        return Stream.of(
                argumentSet("no Host", get + "\r\n"),
                argumentSet("two Hosts", get + host + host + "\r\n"),
                argumentSet("another Host", get + "Host: b.example\r\n\r\n"),
                argumentSet("another port in Host", get + "Host: a.example:8080\r\n\r\n"),
                argumentSet("a Host with a user", get + "Host: b@a.example\r\n\r\n"),
                argumentSet(
                        "another Host beside CONNECT", "CONNECT a.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n"),
                argumentSet(
                        "another port beside CONNECT", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:80\r\n\r\n"),
                argumentSet("CONNECT without a port", "CONNECT a.example HTTP/1.1\r\n\r\n"),
                argumentSet("CONNECT to a URI", "CONNECT https://a.example:443 HTTP/1.1\r\n\r\n"),
                argumentSet("CONNECT with a path", "CONNECT a.example:443/x HTTP/1.1\r\n\r\n"),
                argumentSet("CONNECT with a body", "CONNECT a.example:443 HTTP/1.1\r\nContent-Length: 3\r\n\r\n"),
                argumentSet("a user in the URI", "GET http://b@a.example/ HTTP/1.1\r\n" + host + "\r\n"),
                argumentSet("a backslash in the authority", "GET http://a.example\\@b/ HTTP/1.1\r\n" + host + "\r\n"),
                argumentSet("a fragment", "GET http://a.example/#b HTTP/1.1\r\n" + host + "\r\n"),
                argumentSet("https without CONNECT", "GET https://a.example/ HTTP/1.1\r\n" + host + "\r\n"),
                argumentSet("a path alone", "GET / HTTP/1.1\r\n" + host + "\r\n"),
                argumentSet("an asterisk", "OPTIONS * HTTP/1.1\r\n" + host + "\r\n"),
                argumentSet("a port that is too large", "GET http://a.example:65536/ HTTP/1.1\r\n" + host + "\r\n"),
                argumentSet("port 0", "GET http://a.example:0/ HTTP/1.1\r\n" + host + "\r\n"),
                argumentSet("an empty authority", "GET http:///x HTTP/1.1\r\n" + host + "\r\n"),
                argumentSet("two blanks in the request line", "GET  http://a.example/ HTTP/1.1\r\n" + host + "\r\n"),
                argumentSet("HTTP/2", "PRI * HTTP/2.0\r\n\r\n"),
                argumentSet("HTTP/0.9", "GET http://a.example/\r\n\r\n"),
                argumentSet("a folded header", get + host + "X: a\r\n b\r\n\r\n"),
                argumentSet("a blank before the colon", get + "Host : a.example\r\n\r\n"),
                argumentSet("a header without a colon", get + host + "X\r\n\r\n"),
                argumentSet("a bare line feed", get + host + "X: a\nHost: b.example\r\n\r\n"),
                argumentSet("a bare carriage return", get + host + "X: a\rHost: b.example\r\n\r\n"),
                argumentSet("NUL", get + host + "X: a\0b\r\n\r\n"),
                argumentSet("two lengths", get + host + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"),
                argumentSet("a length with a sign", get + host + "Content-Length: +1\r\n\r\n"),
                argumentSet("a list of lengths", get + host + "Content-Length: 1, 1\r\n\r\n"),
                argumentSet("both framings", get + host + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
                argumentSet("another encoding", get + host + "Transfer-Encoding: gzip, chunked\r\n\r\n"),
                argumentSet("an encoding that looks like chunked", get + host + "Transfer-Encoding: xchunked\r\n\r\n"),
                argumentSet("129 headers", get + host + "X: y\r\n".repeat(128) + "\r\n"));
    }

    @Test
    void answersToEverything() {
        Random random = new Random(11);
        byte[] good = "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\n"
                .getBytes(StandardCharsets.ISO_8859_1);
        for (int i = 0; i < 20_000; i++) {
            byte[] bytes = good.clone();
            for (int changes = random.nextInt(4); changes >= 0; changes--) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
            }
            int end = RequestHead.end(bytes, bytes.length);
            if (end > 0) {
                try {
                    assertThat(RequestHead.read(bytes, end)).isNotNull();
                } catch (RequestHead.Malformed e) {
                    assertThat(e.getMessage()).isNotBlank();
                }
            }
        }
    }
}
