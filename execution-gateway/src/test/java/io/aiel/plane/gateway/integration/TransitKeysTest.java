package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.aiel.plane.vocabulary.ErrorCode;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.net.PfxOptions;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Credentials under a key that a key management service keeps for itself: as under one of a file, and what is to be said when the service is away. */
class TransitKeysTest {
    private static final byte[] SECRET = "{\"password\":\"canary-7f3a\"}".getBytes(StandardCharsets.UTF_8);
    private static final CredentialSeal.Place PLACE = new CredentialSeal.Place("ten_1", "conn_1", 1);
    private static final String FIRST = "transit/transit/plane/v1";
    private static final String SECOND = "transit/transit/plane/v2";
    private static final Duration LIMIT = Duration.ofSeconds(10);
    private static final Duration TIMEOUT = Duration.ofSeconds(5);
    private static final Duration SHORT = Duration.ofSeconds(1);

    @TempDir
    Path folder;

    private final Vertx vertx = Vertx.vertx();
    private final AtomicLong nanos = new AtomicLong(Long.MAX_VALUE - 5);
    private final List<TransitKeys> made = new ArrayList<>();
    private final List<String> logged = new CopyOnWriteArrayList<>();
    private final Handler log = new Handler() {
        @Override
        public void publish(LogRecord record) {
            logged.add(record.getMessage() + " "
                    + List.of(Optional.ofNullable(record.getParameters()).orElse(new Object[0])));
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
    };
    private Path tokenFile = Path.of("");
    private FakeTransit service = new FakeTransit(vertx);

    @BeforeEach
    void writeToken() throws IOException {
        tokenFile = Files.writeString(folder.resolve("token"), FakeTransit.TOKEN + "\n");
        Logger.getLogger(TransitKeys.class.getName()).addHandler(log);
    }

    @AfterEach
    void end() {
        Logger.getLogger(TransitKeys.class.getName()).removeHandler(log);
        made.forEach(TransitKeys::close);
        service.close();
        vertx.close().toCompletionStage().toCompletableFuture().join();
        assertThat(logged).allSatisfy(line -> assertThat(line).doesNotContain("canary"));
    }

    private TransitKeys keys() {
        return keys(service.settings(tokenFile, TIMEOUT));
    }

    private TransitKeys keys(TransitSettings settings) {
        TransitKeys keys = new TransitKeys(vertx, settings, nanos::get);
        made.add(keys);
        return keys;
    }

    private static <T> T await(Uni<T> work) {
        return work.await().atMost(LIMIT);
    }

    private static void assertDoesNotOpen(
            KeyEncryption keys, CredentialSeal.Place place, CredentialSeal.Sealed sealed) {
        assertThatThrownBy(() -> await(new CredentialSeal(keys).open(place, sealed)))
                .isInstanceOfSatisfying(
                        CredentialsUnavailable.class,
                        failure -> assertThat(failure.isForNow()).isFalse())
                .hasMessageContaining("do not open");
    }

    private static void assertForNow(Uni<?> work) {
        CredentialsUnavailable failure = catchThrowableOfType(CredentialsUnavailable.class, () -> await(work));
        assertThat(failure).isNotNull();
        assertThat(failure.isForNow()).isTrue();
        assertThat(failure.refusal().code()).isEqualTo(ErrorCode.NOT_READY);
        assertThat(failure.refusal().headers()).containsKey("Retry-After");
        assertThat(failure).hasMessageContaining("later").hasMessageNotContaining("canary");
    }

    private void letPass(Duration time) {
        nanos.addAndGet(time.toNanos());
    }

    @Test
    void opensWhatItSealedAndSendsTheServiceNothingButTheDataKey() {
        CredentialSeal seal = new CredentialSeal(keys());

        CredentialSeal.Sealed sealed = await(seal.seal(PLACE, SECRET));

        assertThat(sealed.key().kek()).isEqualTo(FIRST);
        assertThat(sealed.key().bytes().toString()).startsWith("vault:v1:");
        assertThat(await(seal.open(PLACE, sealed))).isEqualTo(SECRET);
        assertThat(service.received()).isNotEmpty().allSatisfy(request -> {
            assertThat(request.header("x-vault-token")).isEqualTo(FakeTransit.TOKEN);
            assertThat(request.header("x-vault-request")).isEqualTo("true");
            assertThat(request.header("x-vault-namespace")).isEmpty();
        });
        assertThat(Base64.getDecoder()
                        .decode(service.received().getFirst().json().getString("plaintext")))
                .hasSize(32);
    }

    /** Seen to fail: without associated_data. */
    @Test
    void doesNotOpenForAnotherTenantConnectionOrVersion() {
        TransitKeys keys = keys();
        CredentialSeal.Sealed sealed = await(new CredentialSeal(keys).seal(PLACE, SECRET));

        assertDoesNotOpen(keys, new CredentialSeal.Place("ten_2", "conn_1", 1), sealed);
        assertDoesNotOpen(keys, new CredentialSeal.Place("ten_1", "conn_2", 1), sealed);
        assertDoesNotOpen(keys, new CredentialSeal.Place("ten_1", "conn_1", 2), sealed);
        // The service itself refuses: whoever has the data key has it for this place.
        assertThatThrownBy(() -> await(keys.unwrap(sealed.key(), "another".getBytes(StandardCharsets.UTF_8))))
                .hasMessageContaining("do not open");
    }

    @Test
    void seesANewVersionAndOpensUnderTheOldOneForAsLongAsTheServiceDoes() {
        TransitKeys keys = keys();
        CredentialSeal seal = new CredentialSeal(keys);
        CredentialSeal.Sealed old = await(seal.seal(PLACE, SECRET));
        assertThat(await(seal.current())).isEqualTo(FIRST);

        service.rotate();
        int asked = service.received().size();
        assertThat(await(seal.current())).as("for half a minute").isEqualTo(FIRST);
        assertThat(service.received()).hasSize(asked);
        letPass(Duration.ofSeconds(31));
        assertThat(await(seal.current())).isEqualTo(SECOND);

        assertThat(await(seal.open(PLACE, old))).isEqualTo(SECRET);
        KeyEncryption.Wrapped rewrapped = await(seal.rewrap(PLACE, old.key()));
        assertThat(rewrapped.kek()).isEqualTo(SECOND);
        service.decryptsFrom(2);
        assertDoesNotOpen(keys, PLACE, old);
        assertThat(await(seal.open(PLACE, new CredentialSeal.Sealed(rewrapped, old.credentials()))))
                .isEqualTo(SECRET);
    }

    /** Else the next look would encrypt anew what was just encrypted. */
    @Test
    void takesAVersionThatItSealedUnderForTheNewest() {
        CredentialSeal seal = new CredentialSeal(keys());
        assertThat(await(seal.current())).isEqualTo(FIRST);

        service.rotate();
        await(seal.seal(PLACE, SECRET));

        assertThat(await(seal.current())).isEqualTo(SECOND);
    }

    @Test
    void takesARenewedTokenAtALookAndWhenTheServiceRefusesTheOldOne() throws IOException {
        TransitKeys keys = keys();
        CredentialSeal seal = new CredentialSeal(keys);
        CredentialSeal.Sealed sealed = await(seal.seal(PLACE, SECRET));

        service.takes("hvs.canary-token-2");
        assertForNow(seal.open(PLACE, sealed));
        Files.writeString(tokenFile, "hvs.canary-token-2\n");
        assertThat(await(seal.open(PLACE, sealed))).as("asked again").isEqualTo(SECRET);

        Files.writeString(tokenFile, "hvs.canary-token-3");
        keys.reload();
        service.takes("hvs.canary-token-3");
        int asked = service.received().size();
        assertThat(await(seal.open(PLACE, sealed))).isEqualTo(SECRET);
        assertThat(service.received()).as("asked once").hasSize(asked + 1);
    }

    @Test
    void keepsItsTokenWhenTheFileBecomesUnreadable() throws IOException {
        TransitKeys keys = keys();

        Files.writeString(tokenFile, "canary with a blank");
        keys.reload();
        keys.reload();

        assertThat(await(keys.current())).isEqualTo(FIRST);
        assertThat(logged).filteredOn(line -> line.contains("stays as it was")).hasSize(1);
    }

    /** Seen to fail: with a redirect that was followed, and with an answer of any length. */
    @ParameterizedTest
    @EnumSource(
            value = FakeTransit.Manner.class,
            names = {"SEALED", "OVERLOADED", "SILENT", "ENDLESS", "ELSEWHERE", "NO_JSON", "NOT_BASE64"})
    void saysToComeAgainWhenTheServiceIs(FakeTransit.Manner manner) {
        boolean waits = manner == FakeTransit.Manner.SILENT;
        TransitKeys keys = keys(service.settings(tokenFile, waits ? SHORT : TIMEOUT));
        CredentialSeal seal = new CredentialSeal(keys);
        CredentialSeal.Sealed sealed = await(seal.seal(PLACE, SECRET));

        service.is(manner);
        int asked = service.received().size();
        long begun = System.nanoTime();
        assertForNow(seal.open(PLACE, sealed));
        assertForNow(seal.seal(PLACE, SECRET));
        assertForNow(seal.current());
        assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(TIMEOUT);
        assertThat(service.received()).hasSize(asked + 3);

        service.is(FakeTransit.Manner.WELL);
        assertThat(await(seal.open(PLACE, sealed))).isEqualTo(SECRET);
        assertThat(logged)
                .anyMatch(line -> line.contains("cannot be used"))
                .anyMatch(line -> line.contains("can be used again"));
    }

    /** Seen to fail with a line for each change. */
    @Test
    void doesNotTellTheLogOfEachTurnOfAServiceThatComesAndGoes() {
        TransitKeys keys = keys();
        CredentialSeal seal = new CredentialSeal(keys);
        CredentialSeal.Sealed sealed = await(seal.seal(PLACE, SECRET));

        for (int i = 0; i < 10; i++) {
            service.is(FakeTransit.Manner.SEALED);
            assertForNow(seal.open(PLACE, sealed));
            service.is(FakeTransit.Manner.WELL);
            assertThat(await(seal.open(PLACE, sealed))).isEqualTo(SECRET);
        }

        assertThat(logged)
                .filteredOn(line -> line.contains("plane.integration.transit"))
                .hasSize(2);
    }

    @Test
    void saysToComeAgainWhenNobodyIsThere() {
        TransitKeys keys = keys();
        CredentialSeal seal = new CredentialSeal(keys);
        CredentialSeal.Sealed sealed = await(seal.seal(PLACE, SECRET));

        service.close();

        assertForNow(seal.open(PLACE, sealed));
        assertForNow(keys("http://127.0.0.1:1", Optional.empty()).current());
        service = new FakeTransit(vertx);
    }

    private TransitKeys keys(String url, Optional<Path> caFile) {
        return keys(
                new TransitSettings(URI.create(url), "transit", "plane", tokenFile, Optional.empty(), caFile, TIMEOUT));
    }

    @Test
    void hasSoManyRequestsRunAndWaitAndRefusesMoreAtOnce() throws Exception {
        TransitKeys keys = keys(service.settings(tokenFile, Duration.ofSeconds(4)));
        service.is(FakeTransit.Manner.SILENT);
        AtomicInteger refused = new AtomicInteger();

        // Until its connection is made, a request that will run counts among those that wait: these are let run first.
        ask(keys, 16, refused);
        awaitThat(() -> service.received().size() >= 16);
        ask(keys, 284, refused);
        awaitThat(() -> refused.get() >= 28);

        assertThat(refused.get()).isEqualTo(28);
        assertThat(service.received()).hasSize(16);
    }

    private static void ask(TransitKeys keys, int times, AtomicInteger refused) {
        for (int i = 0; i < times; i++) {
            keys.current().subscribe().with(_ -> {}, _ -> refused.incrementAndGet());
        }
    }

    private static void awaitThat(BooleanSupplier holds) throws InterruptedException {
        long deadline = System.nanoTime() + Duration.ofSeconds(2).toNanos();
        while (!holds.getAsBoolean() && System.nanoTime() < deadline) {
            Thread.sleep(10);
        }
    }

    @Test
    void usesItsConnectionsAgain() {
        CredentialSeal seal = new CredentialSeal(keys());
        CredentialSeal.Sealed sealed = await(seal.seal(PLACE, SECRET));
        for (int i = 0; i < 10; i++) {
            assertThat(await(seal.open(PLACE, sealed))).isEqualTo(SECRET);
        }

        // One that was read to its end can be on its way back to the others still.
        assertThat(service.connections()).isLessThan(4);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "kek-0011223344556677",
                "transit/other/plane/v1",
                "transit/transit/another/v1",
                "transit/transit/plane"
            })
    void asksNobodyForAKeyThatIsNotItsOwn(String kek) {
        TransitKeys keys = keys();
        KeyEncryption.Wrapped wrapped = new KeyEncryption.Wrapped(kek, Buffer.buffer("vault:v1:AAAA"));

        assertThatThrownBy(() -> await(keys.unwrap(wrapped, new byte[1])))
                .isInstanceOfSatisfying(
                        CredentialsUnavailable.class,
                        failure -> assertThat(failure.refusal().code()).isEqualTo(ErrorCode.CONNECTION_UNUSABLE))
                .hasMessageContaining(kek);
        assertThat(service.received()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"vault:v2:AAAA", "vault:v1:", "vault:v1:\"}", "vault:v0:AAAA", ""})
    void asksNobodyForWhatIsNotOfTheVersionThatItIsNamedFor(String bytes) {
        TransitKeys keys = keys();

        assertThatThrownBy(
                        () -> await(keys.unwrap(new KeyEncryption.Wrapped(FIRST, Buffer.buffer(bytes)), new byte[1])))
                .hasMessageContaining("do not open");
        assertThat(service.received()).isEmpty();
    }

    /** Seen to fail: without the question. */
    @Test
    void sealsNothingWithAServiceThatDoesNotBind() {
        CredentialSeal seal = new CredentialSeal(keys());

        service.is(FakeTransit.Manner.BINDS_NOTHING);
        assertThatThrownBy(() -> await(seal.seal(PLACE, SECRET)))
                .isInstanceOf(CredentialsUnavailable.class)
                .hasMessageContaining("associated_data");

        service.is(FakeTransit.Manner.WELL);
        await(seal.seal(PLACE, SECRET));
        int asked = service.received().size();
        await(seal.seal(PLACE, SECRET));
        assertThat(service.received()).as("asked for it once").hasSize(asked + 1);
    }

    @Test
    void goesToTheNamespace() {
        TransitKeys keys = keys(new TransitSettings(
                URI.create(service.url()),
                "transit",
                "plane",
                tokenFile,
                Optional.of("team/plane"),
                Optional.empty(),
                TIMEOUT));

        await(keys.current());

        assertThat(service.received().getLast().header("x-vault-namespace")).isEqualTo("team/plane");
    }

    /** Seen to fail: with a client that trusted everybody. */
    @Test
    void talksToAServiceWithATrustedCertificateForItsNameAlone() throws Exception {
        Path ca = TlsTest.certificate(folder, "localhost");
        HttpServerOptions options = new HttpServerOptions()
                .setSsl(true)
                .setKeyCertOptions(new PfxOptions()
                        .setPath(folder.resolve("server.p12").toString())
                        .setPassword("changeit"));
        try (FakeTransit secured = new FakeTransit(vertx, options)) {
            assertThat(await(keys(secured.url(), Optional.of(ca)).current())).isEqualTo(FIRST);
            int asked = secured.received().size();

            assertForNow(keys(secured.url(), Optional.empty()).current());
            assertForNow(keys(secured.url().replace("localhost", "127.0.0.1"), Optional.of(ca))
                    .current());
            assertThat(secured.received()).hasSize(asked);
        }
    }

    @Test
    void startsWithoutTheServiceButNotWithoutAToken() throws IOException {
        service.is(FakeTransit.Manner.SEALED);
        keys();

        Files.writeString(tokenFile, "canary\r\nX-Other: canary");
        assertThatThrownBy(this::keys)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("plane.integration.transit.token-file")
                .hasMessageNotContaining("canary");
        Files.delete(tokenFile);
        assertThatThrownBy(this::keys).hasMessageContaining("cannot be read");
        assertThat(service.received()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "http://vault.example:8200",
                "https://user:canary@vault.example",
                "https://vault.example/?canary",
                "https://vault.example/a/../b",
                "vault.example:8200",
                "file:///etc/passwd"
            })
    void refusesAUrlThatATokenIsNotToBeSentTo(String url) {
        assertThatThrownBy(() -> keys(url, Optional.empty()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("plane.integration.transit.url")
                .hasMessageNotContaining("canary");
    }

    @Test
    void refusesNamesThatLeadToAnotherPath() {
        for (String wrong : List.of("..", "a/../b", "/a", "a//b", "a?b", "a b", "")) {
            assertThatThrownBy(() -> new TransitSettings(
                            URI.create("https://vault.example"),
                            wrong,
                            "plane",
                            tokenFile,
                            Optional.empty(),
                            Optional.empty(),
                            TIMEOUT))
                    .hasMessageContaining("plane.integration.transit.mount");
            assertThatThrownBy(() -> new TransitSettings(
                            URI.create("https://vault.example"),
                            "transit",
                            wrong,
                            tokenFile,
                            Optional.empty(),
                            Optional.empty(),
                            TIMEOUT))
                    .hasMessageContaining("plane.integration.transit.key");
        }
    }

    private record Config(Optional<String> url, Optional<String> key, Optional<Path> tokenFile)
            implements TransitConfig {
        @Override
        public String mount() {
            return "transit";
        }

        @Override
        public Optional<String> namespace() {
            return Optional.empty();
        }

        @Override
        public Optional<Path> caFile() {
            return Optional.empty();
        }

        @Override
        public Duration timeout() {
            return TIMEOUT;
        }
    }

    @Test
    void isConfiguredWholeOrNotAtAllAndNotBesideAFile() {
        assertThat(TransitSettings.of(new Config(Optional.empty(), Optional.empty(), Optional.empty())))
                .isEmpty();
        assertThatThrownBy(() -> TransitSettings.of(
                        new Config(Optional.of("https://vault.example"), Optional.empty(), Optional.empty())))
                .hasMessageContaining("plane.integration.transit.key")
                .hasMessageContaining("plane.integration.transit.token-file");
        Optional<TransitSettings> whole = TransitSettings.of(
                new Config(Optional.of("https://vault.example"), Optional.of("plane"), Optional.of(tokenFile)));
        assertThat(whole).isPresent();

        assertThatThrownBy(() -> new IntegrationSettings(
                        Optional.of(folder.resolve("keys")),
                        whole,
                        Set.of(),
                        1,
                        1,
                        1,
                        1,
                        LIMIT,
                        LIMIT,
                        1,
                        LIMIT,
                        LIMIT,
                        1,
                        LIMIT,
                        LIMIT))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("plane.integration.kek-file")
                .hasMessageContaining("plane.integration.transit.url");
    }
}
