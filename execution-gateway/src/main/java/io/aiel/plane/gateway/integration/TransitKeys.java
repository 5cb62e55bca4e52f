package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientRequest;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.PoolOptions;
import io.vertx.core.http.RequestOptions;
import io.vertx.core.json.JsonObject;
import io.vertx.core.net.PemTrustOptions;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.Optional;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * A key of a key management service with the transit API of HashiCorp Vault and OpenBao. The key never leaves the service: data keys go there to be
 * encrypted and decrypted, bound to their place as the service's {@code associated_data}. A key is named by mount, key and version, so that a new
 * version is seen, and what an older one encrypted can be found.
 *
 * <p>The token is read from a file, again at each {@link #reload} and when the service refuses it. Neither it nor a body is in a log or a message.
 * The service is the operator's own: its address is not held against those that tenants may not have connections to. Thread-safe. Each call ends by
 * the timeout; so many requests run and wait at once, and more are refused.
 */
final class TransitKeys implements KeyEncryption {
    private static final Logger LOG = Logger.getLogger(TransitKeys.class);
    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final int ANSWER_BYTES_MAX = 64 * 1024;
    private static final int HEADER_BYTES_MAX = 16 * 1024;
    private static final int TOKEN_BYTES_MAX = 8 * 1024;
    private static final int AT_ONCE_MAX = 16;
    private static final int WAITING_MAX = 256;
    /** Less than what services and those between keep them open for. */
    private static final int IDLE_S = 10;

    private static final Duration VERSION_KEPT = Duration.ofSeconds(30);
    private static final Duration TOLD_AGAIN_AFTER = Duration.ofSeconds(10);
    private static final Pattern TOKEN = Pattern.compile("[!-~]+");
    private static final Pattern CIPHERTEXT = Pattern.compile("vault:v([1-9][0-9]{0,8}):[A-Za-z0-9+/]+={0,2}");

    private final Vertx vertx;
    private final TransitSettings settings;
    private final LongSupplier nanoTime;
    private final HttpClient client;
    private final String namePrefix;
    private final AtomicReference<String> token;
    private final AtomicReference<@Nullable Newest> newest = new AtomicReference<>();
    private final AtomicBoolean binds = new AtomicBoolean();
    /** Why the service cannot be used, as the log was told, empty when it can; and when the log was last told why not. */
    private final AtomicReference<Said> said;

    private final AtomicReference<String> tokenTrouble = new AtomicReference<>("");

    private record Said(String trouble, long atNanos) {}

    /** The newest version of the key, and when it was that. */
    private record Newest(long version, long atNanos) {}

    private record Answer(int status, Buffer body) {}

    /**
     * Asks nothing yet: the service may be away when the server starts. Throws {@link IllegalArgumentException} that says what is wrong with the
     * token's file, without the token.
     */
    TransitKeys(Vertx vertx, TransitSettings settings, LongSupplier nanoTime) {
        this.vertx = vertx;
        this.settings = settings;
        this.nanoTime = nanoTime;
        this.said = new AtomicReference<>(new Said("", nanoTime.getAsLong() - TOLD_AGAIN_AFTER.toNanos()));
        this.namePrefix = "transit/" + settings.mount() + "/" + settings.key() + "/v";
        this.token = new AtomicReference<>(readToken(settings.tokenFile()));
        int timeoutMs = Math.toIntExact(settings.timeout().toMillis());
        HttpClientOptions options = new HttpClientOptions()
                .setSsl(settings.https())
                .setVerifyHost(true)
                .setDecompressionSupported(false)
                .setMaxHeaderSize(HEADER_BYTES_MAX)
                .setKeepAliveTimeout(IDLE_S)
                .setSslHandshakeTimeout(timeoutMs)
                .setConnectTimeout(timeoutMs);
        settings.caFile().ifPresent(file -> {
            if (!Files.isReadable(file)) {
                throw TransitSettings.wrong("ca-file", file + " cannot be read");
            }
            options.setTrustOptions(new PemTrustOptions().addCertPath(file.toString()));
        });
        this.client = vertx.createHttpClient(
                options, new PoolOptions().setHttp1MaxSize(AT_ONCE_MAX).setMaxWaitQueueSize(WAITING_MAX));
    }

    private static String readToken(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            byte[] read = in.readNBytes(TOKEN_BYTES_MAX + 1);
            String text = new String(read, StandardCharsets.US_ASCII).strip();
            if (read.length > TOKEN_BYTES_MAX || !TOKEN.matcher(text).matches()) {
                throw TransitSettings.wrong("token-file", file + " holds no token");
            }
            return text;
        } catch (IOException e) {
            throw TransitSettings.wrong(
                    "token-file", file + " cannot be read (" + e.getClass().getSimpleName() + ")");
        }
    }

    @Override
    public void reload() {
        try {
            token.set(readToken(settings.tokenFile()));
            tokenTrouble.set("");
        } catch (IllegalArgumentException e) {
            String why = String.valueOf(e.getMessage());
            if (!tokenTrouble.getAndSet(why).equals(why)) {
                LOG.warnf("the token for the key management service stays as it was: %s", why);
            }
        }
    }

    @Override
    public Uni<String> current() {
        return Uni.createFrom().deferred(() -> {
            Newest known = newest.get();
            if (known != null && nanoTime.getAsLong() - known.atNanos() < VERSION_KEPT.toNanos()) {
                return Uni.createFrom().item(namePrefix + known.version());
            }
            return data(HttpMethod.GET, "/keys/", Optional.empty(), TransitKeys::keyRefused)
                    .map(data -> {
                        long version = data.path("latest_version").asLong();
                        if (version < 1) {
                            throw away("it names no version of the key");
                        }
                        newest.set(new Newest(version, nanoTime.getAsLong()));
                        return namePrefix + version;
                    });
        });
    }

    @Override
    public Uni<Wrapped> wrap(byte[] dataKey, byte[] bound) {
        return Uni.createFrom()
                .deferred(() -> data(
                        HttpMethod.POST,
                        "/encrypt/",
                        Optional.of(body("plaintext", base64(dataKey), bound)),
                        TransitKeys::keyRefused))
                .map(data -> wrapped(data.path("ciphertext").asText()))
                .call(wrapped -> binds.get() ? Uni.createFrom().voidItem() : checkBinds(wrapped, bound));
    }

    private Wrapped wrapped(String ciphertext) {
        Matcher form = CIPHERTEXT.matcher(ciphertext);
        if (!form.matches()) {
            throw away("what it encrypted has another form than vault:v<version>:<base64>");
        }
        long version = Long.parseLong(form.group(1));
        // A look would else take what is under a version just made for old.
        Newest known = newest.get();
        if (known != null && version > known.version()) {
            newest.compareAndSet(known, new Newest(version, nanoTime.getAsLong()));
        }
        return new Wrapped(namePrefix + version, Buffer.buffer(ciphertext));
    }

    /** Services from before {@code associated_data} take no notice of it: what they encrypted would open in every row. Asked once. */
    private Uni<Void> checkBinds(Wrapped wrapped, byte[] bound) {
        byte[] other = Arrays.copyOf(bound, bound.length + 1);
        return decrypt(wrapped, other).onItemOrFailure().transformToUni((opened, failure) -> {
            if (failure instanceof CredentialsUnavailable refused && !refused.isForNow()) {
                binds.set(true);
                return Uni.createFrom().voidItem();
            }
            if (failure != null) {
                return Uni.createFrom().failure(failure);
            }
            Arrays.fill(opened, (byte) 0);
            return Uni.createFrom()
                    .failure(
                            new CredentialsUnavailable(
                                    "The key management service takes no notice of associated_data; an operator must have a newer one of it."));
        });
    }

    @Override
    public Uni<byte[]> unwrap(Wrapped wrapped, byte[] bound) {
        return Uni.createFrom().deferred(() -> {
            if (!wrapped.kek().startsWith(namePrefix)) {
                throw new CredentialsUnavailable(
                        "The key " + wrapped.kek()
                                + " that these credentials are sealed under is none of plane.integration.transit. Set them again.");
            }
            Matcher form = CIPHERTEXT.matcher(wrapped.bytes().toString(StandardCharsets.US_ASCII));
            if (!form.matches() || !wrapped.kek().equals(namePrefix + form.group(1))) {
                throw CredentialSeal.doesNotOpen();
            }
            return decrypt(wrapped, bound);
        });
    }

    private Uni<byte[]> decrypt(Wrapped wrapped, byte[] bound) {
        return data(
                        HttpMethod.POST,
                        "/decrypt/",
                        Optional.of(body("ciphertext", wrapped.bytes().toString(StandardCharsets.US_ASCII), bound)),
                        CredentialSeal::doesNotOpen)
                .map(data -> {
                    try {
                        return Base64.getDecoder().decode(data.path("plaintext").asText());
                    } catch (IllegalArgumentException _) {
                        throw away("what it decrypted is no base64");
                    }
                });
    }

    private static Buffer body(String what, String value, byte[] bound) {
        return new JsonObject()
                .put(what, value)
                .put("associated_data", base64(bound))
                .toBuffer();
    }

    private static String base64(byte[] bytes) {
        return Base64.getEncoder().encodeToString(bytes);
    }

    private static CredentialsUnavailable keyRefused() {
        return new CredentialsUnavailable(
                "The key management service does not encrypt with the key of plane.integration.transit.key; an operator must look at its type.");
    }

    /** The answer's data; fails with {@link CredentialsUnavailable} alone. */
    private Uni<JsonNode> data(
            HttpMethod method, String path, Optional<Buffer> body, Supplier<CredentialsUnavailable> refused) {
        return ask(options(method, settings.root() + path + settings.key()), body)
                .ifNoItem()
                .after(settings.timeout())
                .failWith(() -> new TimeoutException("no answer in time"))
                .onFailure()
                .transform(failure -> away(said(failure)))
                .map(answer -> switch (answer.status()) {
                    case 200 -> {
                        JsonNode data = data(answer.body());
                        well();
                        yield data;
                    }
                    // Nothing but 400 speaks of what was sent: 403 is of the token, 404 of the mount, 429 of a quota.
                    case 400 -> {
                        well();
                        throw refused.get();
                    }
                    default -> throw away("HTTP status " + answer.status());
                });
    }

    /** Texts of other failures could have something of the request in them. */
    private static String said(Throwable failure) {
        return failure instanceof IOException || failure instanceof TimeoutException
                ? failure.toString()
                : failure.getClass().getSimpleName();
    }

    private JsonNode data(Buffer body) {
        try {
            return JSON.readTree(body.getBytes()).path("data");
        } catch (IOException _) {
            throw away("its answer is no JSON");
        }
    }

    /** For the log why; callers learn that they can come again. */
    private CredentialsUnavailable away(String why) {
        if (tells(why)) {
            LOG.warnf("the key management service of plane.integration.transit cannot be used: %s", why);
        }
        return CredentialsUnavailable.forNow(
                "The key management service that holds the key of credentials cannot be used now; try again later.");
    }

    private void well() {
        Said before = said.get();
        if (!before.trouble().isEmpty() && said.compareAndSet(before, new Said("", before.atNanos()))) {
            LOG.info("the key management service of plane.integration.transit can be used again");
        }
    }

    /** Whether the log is to hear it: what is new, and not at every turn of a service that is now well and now not. */
    private boolean tells(String trouble) {
        Said before = said.get();
        long now = nanoTime.getAsLong();
        return !before.trouble().equals(trouble)
                && now - before.atNanos() >= TOLD_AGAIN_AFTER.toNanos()
                && said.compareAndSet(before, new Said(trouble, now));
    }

    private RequestOptions options(HttpMethod method, String path) {
        RequestOptions options = new RequestOptions()
                .setMethod(method)
                .setHost(settings.host())
                .setPort(settings.port())
                .setSsl(settings.https())
                .setURI(path)
                .setFollowRedirects(false)
                .setConnectTimeout(settings.timeout().toMillis())
                // What agents in between ask for, so that no web page can have a browser do this.
                .putHeader("X-Vault-Request", "true")
                .putHeader("Content-Type", "application/json");
        settings.namespace().ifPresent(namespace -> options.putHeader("X-Vault-Namespace", namespace));
        return options;
    }

    private Uni<Answer> ask(RequestOptions options, Optional<Buffer> body) {
        return Uni.createFrom().deferred(() -> {
            String used = token.get();
            return exchange(options, body, used)
                    .chain(answer -> answer.status() != 403
                            ? Uni.createFrom().item(answer)
                            : tokenNow()
                                    .chain(now -> now.equals(used)
                                            ? Uni.createFrom().item(answer)
                                            : exchange(options, body, now)));
        });
    }

    /** It may have been renewed since the last look. */
    private Uni<String> tokenNow() {
        return Uni.createFrom()
                .completionStage(() -> vertx.executeBlocking(
                                () -> {
                                    reload();
                                    return token.get();
                                },
                                false)
                        .toCompletionStage());
    }

    /** One request; its connection goes back to the others when the answer was read whole, and is closed else. */
    private static final class Exchange {
        private final AtomicReference<@Nullable HttpClientRequest> request = new AtomicReference<>();
        private final AtomicBoolean over = new AtomicBoolean();
        private final AtomicBoolean whole = new AtomicBoolean();

        Future<Answer> send(HttpClientRequest made, Optional<Buffer> body) {
            request.set(made);
            // What becomes of it when it is closed is of no interest, and would else be logged.
            made.exceptionHandler(_ -> {});
            if (over.get()) {
                made.reset();
                return Future.failedFuture(new TimeoutException("its time was over before it was connected"));
            }
            return body.map(made::send).orElseGet(made::send).compose(this::read);
        }

        private Future<Answer> read(HttpClientResponse response) {
            Promise<Answer> promise = Promise.promise();
            Buffer read = Buffer.buffer();
            response.exceptionHandler(promise::tryFail);
            response.handler(part -> {
                if (read.length() + part.length() > ANSWER_BYTES_MAX) {
                    promise.tryFail(new IOException("an answer of more than " + ANSWER_BYTES_MAX + " bytes"));
                } else {
                    read.appendBuffer(part);
                }
            });
            response.endHandler(_ -> {
                whole.set(true);
                promise.tryComplete(new Answer(response.statusCode(), read));
            });
            return promise.future();
        }

        /** When it was given up, that its connection was closed for it is no failure: nobody is there to hear of it. */
        Future<Answer> failed(Throwable failure) {
            return over.get() ? Future.succeededFuture(new Answer(0, Buffer.buffer())) : Future.failedFuture(failure);
        }

        void end() {
            over.set(true);
            HttpClientRequest made = request.get();
            if (made != null && !whole.get()) {
                made.reset();
            }
        }
    }

    private Uni<Answer> exchange(RequestOptions options, Optional<Buffer> body, String used) {
        return Uni.createFrom().deferred(() -> {
            Exchange exchange = new Exchange();
            RequestOptions withToken = new RequestOptions(options).putHeader("X-Vault-Token", used);
            return Uni.createFrom()
                    .completionStage(() -> client.request(withToken)
                            .compose(made -> exchange.send(made, body))
                            .recover(exchange::failed)
                            .toCompletionStage())
                    .onTermination()
                    .invoke(exchange::end);
        });
    }

    @Override
    public void close() {
        client.close();
    }
}
