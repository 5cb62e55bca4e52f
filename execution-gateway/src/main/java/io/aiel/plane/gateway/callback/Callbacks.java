package io.aiel.plane.gateway.callback;

import io.aiel.plane.audit.ControlAudit;
import io.aiel.plane.hydrator.egress.CheckedResolver;
import io.aiel.plane.vocabulary.ProjectScope;
import io.smallrye.mutiny.Uni;
import io.vertx.core.Vertx;
import io.vertx.mutiny.sqlclient.Pool;
import java.nio.file.Path;
import java.time.Clock;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/** The callbacks feature, put together: says what may be called back, keeps the secrets, and sends. Thread-safe. */
public final class Callbacks implements AutoCloseable {
    private final CallbackSecrets secrets;
    private final CallbackCheck acceptance;
    private final CallbackDispatcher dispatcher;
    private final CallbackSender sender;

    /**
     * Starts nothing.
     *
     * @param narrowed the only host names that a project allows; empty when it says nothing
     * @param caFile certificates that are trusted; empty means Java's
     */
    public Callbacks(
            CallbackSettings settings,
            Function<ProjectScope, Uni<Optional<Set<String>>>> narrowed,
            Optional<Path> caFile,
            Vertx vertx,
            Pool pool,
            ControlAudit audit,
            Clock clock) {
        CallbackHosts hosts = CallbackHosts.of(settings.hosts());
        CallbackCheck allowed = (scope, url) -> narrowed.apply(scope).map(names -> hosts.refusal(url, names));
        this.secrets = new CallbackSecrets(pool, audit, settings, clock);
        this.acceptance = (scope, url) -> allowed.refusal(scope, url)
                .chain(refusal -> refusal.isPresent() ? Uni.createFrom().item(refusal) : withoutSecret(scope));
        this.sender = new CallbackSender(
                vertx,
                new CheckedResolver(settings.privateHosts(), settings.attemptTimeout()),
                caFile,
                settings.inHandMax(),
                settings.attemptTimeout());
        this.dispatcher = new CallbackDispatcher(
                new CallbackStore(pool, audit, settings), secrets, allowed, sender, settings, clock);
    }

    /** What nobody could verify is not taken on. */
    private Uni<Optional<String>> withoutSecret(ProjectScope scope) {
        return secrets.list(scope.project())
                .map(active -> active.isEmpty()
                        ? Optional.of("needs a secret to sign with; make one with POST …/callback-secrets")
                        : Optional.empty());
    }

    /** Says at submission whether a callback is taken on. */
    public CallbackCheck acceptance() {
        return acceptance;
    }

    /** What sends. */
    public CallbackDispatcher dispatcher() {
        return dispatcher;
    }

    CallbackSecrets secrets() {
        return secrets;
    }

    @Override
    public void close() {
        dispatcher.stop();
        sender.close();
    }
}
