package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.audit.AuditContext;
import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.hydrator.egress.CheckedResolver;
import io.aiel.plane.registry.input.InputCheck;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ProjectScope;
import io.micrometer.core.instrument.MeterRegistry;
import io.opentelemetry.api.trace.Tracer;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import io.vertx.core.json.JsonObject;
import io.vertx.mutiny.sqlclient.Pool;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/** The integrations feature, put together: keeps connections and what opens them, and has actions done. Thread-safe. */
public final class Integrations implements AutoCloseable {
    private static final Logger LOG = Logger.getLogger(Integrations.class);
    private static final int CREDENTIALS_BYTES_MAX = 64 * 1024;
    private static final int SCHEMAS_KEPT = 500;
    private static final int REWRAPPED_AT_ONCE = 50;

    private final IntegrationSettings settings;
    private final CheckedResolver resolver;
    private final PostgresActionRunner postgres;
    private final RedisActionRunner redis;
    private final MongoActionRunner mongo;
    private final HttpActionRunner http;
    private final ProviderCatalogue catalogue;
    private final InputCheck check = new InputCheck(SCHEMAS_KEPT);
    private final KeyEncryption keys;
    private final ConnectionStore store;
    private final ActionCalls calls;
    private final ActionService actions;
    private final AtomicBoolean looking = new AtomicBoolean();
    private final AtomicReference<String> rewrappedTo = new AtomicReference<>("");

    /** Starts nothing. Throws {@link IllegalArgumentException} that says what is wrong with the settings. */
    public Integrations(
            IntegrationSettings settings,
            HttpActionConfig httpConfig,
            Vertx vertx,
            Pool pool,
            ControlAudit audit,
            ObjectMapper json,
            Tracer tracer,
            MeterRegistry meters,
            Clock clock) {
        this.settings = settings;
        this.keys = settings.transit()
                .<KeyEncryption>map(transit -> new TransitKeys(vertx, transit, System::nanoTime))
                .or(() -> settings.kekFile().map(KekFile::new))
                .orElseGet(NoKeyEncryption::new);
        CredentialSeal seal = new CredentialSeal(keys);
        this.resolver = new CheckedResolver(settings.privateHosts(), settings.callTimeoutMax());
        this.postgres = new PostgresActionRunner(vertx, resolver, settings);
        this.redis = new RedisActionRunner(vertx, resolver, settings);
        this.mongo = new MongoActionRunner(vertx, resolver, settings);
        this.http = new HttpActionRunner(vertx, settings.privateHosts(), httpConfig);
        List<ActionRunner> runners = List.of(postgres, redis, mongo, http);
        this.catalogue = new ProviderCatalogue(runners);
        this.store = new ConnectionStore(pool, audit, seal, settings, clock);
        this.calls = new ActionCalls(pool, audit, settings, clock);
        this.actions = new ActionService(
                store,
                calls,
                seal,
                catalogue,
                runners,
                new CallLimits(settings.atOnceMax(), settings.allAtOnceMax(), System::nanoTime),
                new CallTelemetry(tracer, meters),
                check,
                settings,
                json);
    }

    /** What has actions done. */
    public ActionService actions() {
        return actions;
    }

    List<JsonObject> providers() {
        return catalogue.all().stream().map(Provider::shown).toList();
    }

    Uni<List<JsonObject>> list(ProjectScope scope) {
        return store.list(scope)
                .map(all -> all.stream().flatMap(one -> shown(one).stream()).toList());
    }

    Uni<JsonObject> find(ProjectScope scope, String id) {
        return store.find(scope, id).map(this::shownOrNotFound);
    }

    Uni<JsonObject> create(ProjectScope scope, AuditContext context, @Nullable JsonNode body) {
        Provider provider = ConnectionWish.provider(body, catalogue);
        ConnectionWish wish = ConnectionWish.create(body, provider, check, settings);
        return store.create(context, scope, provider.name(), wish)
                .map(made -> made.orElseThrow(() -> new Refusal(
                        ErrorCode.CONFLICT,
                        "The project has as many connections as it may, " + settings.projectMax() + ".")))
                .map(made -> made.shown(provider));
    }

    Uni<JsonObject> change(ProjectScope scope, AuditContext context, String id, @Nullable JsonNode body) {
        return store.change(
                        context,
                        scope,
                        id,
                        present -> ConnectionWish.change(
                                body,
                                present,
                                catalogue.find(present.provider()).orElseThrow(Refusal::notFound),
                                check,
                                settings))
                .map(this::shownOrNotFound);
    }

    /** Takes what opens the system. Nothing of it is in an answer, a record or a log, this one included. */
    Uni<JsonObject> putCredentials(ProjectScope scope, AuditContext context, String id, @Nullable JsonNode body) {
        if (body == null || !body.isObject()) {
            throw new Refusal(ErrorCode.MALFORMED_REQUEST, "Send credentials as a JSON object.");
        }
        byte[] credentials = body.toString().getBytes(StandardCharsets.UTF_8);
        if (credentials.length > CREDENTIALS_BYTES_MAX) {
            throw new Refusal(
                    ErrorCode.PAYLOAD_TOO_LARGE, "Credentials may have at most " + CREDENTIALS_BYTES_MAX + " bytes.");
        }
        return store.find(scope, id)
                .map(found -> found.orElseThrow(Refusal::notFound))
                .invoke(found -> checkCredentials(found, body))
                .chain(() -> store.putCredentials(context, scope, id, credentials))
                .onFailure(CredentialsUnavailable.class)
                .transform(CredentialsUnavailable::refusal)
                .map(this::shownOrNotFound);
    }

    private void checkCredentials(Connection connection, JsonNode body) {
        Provider provider = catalogue.find(connection.provider()).orElseThrow(Refusal::notFound);
        // Where it is wrong, but not how: a message may repeat the value.
        ConnectionWish.refuseIfWrong(ConnectionWish.problems(check, "", provider.credentials(), body).stream()
                .map(problem -> Map.of(
                        "pointer",
                        String.valueOf(problem.get("pointer")),
                        "message",
                        "does not fit the schema of the provider's credentials"))
                .distinct()
                .toList());
    }

    Uni<Void> delete(ProjectScope scope, AuditContext context, String id) {
        return store.delete(context, scope, id)
                .invoke(found -> {
                    if (!found) {
                        throw Refusal.notFound();
                    }
                })
                .replaceWithVoid();
    }

    private JsonObject shownOrNotFound(Optional<Connection> found) {
        return found.flatMap(this::shown).orElseThrow(Refusal::notFound);
    }

    /** One of a provider that this server does not know any more is not there. */
    private Optional<JsonObject> shown(Connection connection) {
        return catalogue.find(connection.provider()).map(connection::shown);
    }

    /**
     * Looks for calls whose end nobody tells any more, for what is to be forgotten, and for credentials that are sealed under an old key. To be called at
     * intervals, on a thread that may wait for a small file.
     */
    public void look() {
        if (!looking.compareAndSet(false, true)) {
            return;
        }
        readKeys();
        lookOnce()
                .onTermination()
                .invoke(() -> looking.set(false))
                .subscribe()
                .with(
                        _ -> {},
                        failure -> LOG.warnf(
                                "it could not be looked for calls and keys (%s); it will be again",
                                failure.toString()));
    }

    /** Takes the file with the keys, or the token for them, as it is now. Blocks for as long as reading a small file does. */
    void readKeys() {
        keys.reload();
    }

    /** One look; the item comes when it is over. */
    Uni<Void> lookOnce() {
        Uni<Void> swept = calls.sweep()
                .invoke(lost -> {
                    if (lost > 0) {
                        LOG.warnf("the end of %d calls of outside systems is not known", lost);
                    }
                })
                .replaceWithVoid();
        if (keys instanceof NoKeyEncryption) {
            return swept;
        }
        return swept.chain(() -> store.rewrap(rewrappedTo.get(), REWRAPPED_AT_ONCE))
                .invoke(last -> rewrappedTo.set(last.orElse("")))
                .replaceWithVoid();
    }

    @Override
    public void close() {
        postgres.close();
        redis.close();
        mongo.close();
        http.close();
        resolver.close();
        keys.close();
    }
}
