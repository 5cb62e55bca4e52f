package io.aiel.plane.hydrator.egress;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import io.aiel.plane.hydrator.egress.ClientHello.Reading;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ClientHelloTest {
    private static Reading read(byte[] bytes) {
        return ClientHello.read(bytes, bytes.length);
    }

    @Test
    void readsTheNameOutOfARealHello() {
        assertThat(read(Hellos.real("api.example.com")))
                .isEqualTo(new Reading.Hello(Optional.of("api.example.com"), false));
    }

    @Test
    void waitsForTheLastByteOfAHelloAndForNoMore() {
        byte[] hello = Hellos.real("api.example.com");

        for (int length = 0; length < hello.length; length++) {
            assertThat(ClientHello.read(hello, length)).as("%d bytes", length).isEqualTo(new Reading.Incomplete());
        }
        assertThat(read(Hellos.joined(hello, new byte[] {20, 3, 3, 0, 1, 1}))).isInstanceOf(Reading.Hello.class);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 17, 100})
    void readsAHelloInManyRecords(int size) {
        assertThat(read(Hellos.fragmented(Hellos.real("api.example.com"), size)))
                .isEqualTo(new Reading.Hello(Optional.of("api.example.com"), false));
    }

    @Test
    void saysWhenThereIsNoName() {
        assertThat(read(Hellos.made(Hellos.extension(43, new byte[] {2, 3, 4}))))
                .isEqualTo(new Reading.Hello(Optional.empty(), false));
    }

    @ParameterizedTest
    @ValueSource(ints = {0xFE0D, 0xFFCE})
    void saysWhenTheNameThatIsMeantIsEncrypted(int extension) {
        assertThat(read(Hellos.made(Hellos.serverName("front.example"), Hellos.extension(extension, new byte[8]))))
                .isEqualTo(new Reading.Hello(Optional.of("front.example"), true));
    }

    @ParameterizedTest
    @ValueSource(strings = {"GET / HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n", "\0", "\u0016\u0002\0"})
    void knowsWhatIsNotTls(String text) {
        assertThat(read(text.getBytes(java.nio.charset.StandardCharsets.ISO_8859_1)))
                .isEqualTo(new Reading.Foreign());
    }

    @ParameterizedTest(name = "{argumentSetName}")
    @MethodSource
    void refusesWhatIsNotExactlyOfTheForm(byte[] bytes) {
        assertThat(read(bytes)).isInstanceOf(Reading.Malformed.class);
    }

    static Stream<Arguments> refusesWhatIsNotExactlyOfTheForm() {
        byte[] name = Hellos.serverName("a.example");
        byte[] good = Hellos.made(name);
        byte[] two = "a.exampleb.example".getBytes(java.nio.charset.StandardCharsets.US_ASCII);
        return Stream.of(
                argumentSet("a name that comes twice", Hellos.made(name, Hellos.serverName("b.example"))),
                argumentSet(
                        "two names in one extension",
                        Hellos.made(Hellos.extension(
                                0,
                                Hellos.joined(
                                        Hellos.u16(24),
                                        new byte[] {0, 0, 9},
                                        Arrays.copyOfRange(two, 0, 9),
                                        new byte[] {0, 0, 9},
                                        Arrays.copyOfRange(two, 9, 18))))),
                argumentSet(
                        "a name of another kind", Hellos.made(Hellos.extension(0, new byte[] {0, 4, 1, 0, 1, 'a'}))),
                argumentSet("an empty name", Hellos.made(Hellos.extension(0, new byte[] {0, 3, 0, 0, 0}))),
                argumentSet("an empty list of names", Hellos.made(Hellos.extension(0, new byte[] {0, 0}))),
                argumentSet("a name with NUL", Hellos.made(Hellos.serverName("a.example\0.b"))),
                argumentSet("a name with a line break", Hellos.made(Hellos.serverName("a\n.example"))),
                argumentSet("a name of another script", Hellos.made(Hellos.serverName("ä.example"))),
                argumentSet(
                        "a name longer than its list",
                        Hellos.made(Hellos.extension(0, new byte[] {0, 4, 0, 0, 9, 'a'}))),
                argumentSet(
                        "a list longer than its extension",
                        Hellos.made(Hellos.extension(0, new byte[] {0, 9, 0, 0, 1, 'a'}))),
                argumentSet(
                        "something behind the hello",
                        Hellos.record(Hellos.joined(Arrays.copyOfRange(good, 5, good.length), new byte[] {0}))),
                argumentSet("another message first", Hellos.record(new byte[] {2, 0, 0, 1, 0})),
                argumentSet("an empty record", Hellos.record(new byte[0])),
                argumentSet(
                        "a record of another kind within",
                        Hellos.joined(Arrays.copyOf(Hellos.fragmented(good, 10), 15), new byte[] {23, 3, 1, 0, 1, 0})),
                argumentSet("a record that is too large", new byte[] {22, 3, 1, 0x40, 1, 1}),
                argumentSet("a hello that is too large", Hellos.record(new byte[] {1, 1, 0, 0})),
                argumentSet("a hello that ends early", Hellos.record(Hellos.message(new byte[30]))),
                argumentSet("no cipher suites", Hellos.record(Hellos.message(Hellos.joined(new byte[35], new byte[] {
                    0, 0, 1, 0
                })))),
                argumentSet(
                        "a session that is too long",
                        Hellos.record(Hellos.message(Hellos.joined(new byte[34], new byte[] {33}, new byte[60])))),
                argumentSet(
                        "extensions shorter than said",
                        Hellos.record(Hellos.message(Hellos.joined(
                                new byte[34],
                                new byte[] {0, 0, 2, 0x13, 1, 1, 0},
                                Hellos.u16(name.length + 1),
                                name)))));
    }

    /** Whatever the bytes, there is an answer; and a changed hello never names another server without the change being in the name. */
    @Test
    void answersToEverything() {
        Random random = new Random(7);
        byte[] good = Hellos.real("api.example.com");
        for (int i = 0; i < 20_000; i++) {
            byte[] bytes = good.clone();
            for (int changes = random.nextInt(4); changes >= 0; changes--) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
            }
            int length = random.nextInt(bytes.length + 1);
            assertThat(ClientHello.read(bytes, length)).isNotNull();
        }
        byte[] endless = new byte[ClientHello.BYTES_MAX];
        random.nextBytes(endless);
        endless[0] = 22;
        endless[1] = 3;
        assertThat(ClientHello.read(endless, endless.length)).isNotEqualTo(new Reading.Incomplete());
    }
}
