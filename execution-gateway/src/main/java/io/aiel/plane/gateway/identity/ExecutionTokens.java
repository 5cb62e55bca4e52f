package io.aiel.plane.gateway.identity;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.audit.AuditEvent;
import io.aiel.plane.gateway.execution.CallingExecution;
import io.aiel.plane.gateway.execution.WorkerApi;
import io.aiel.plane.hydrator.PlaneAccess;
import io.aiel.plane.vocabulary.Decision;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.Principal;
import io.aiel.plane.vocabulary.PrincipalKind;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.Role;
import io.aiel.plane.vocabulary.TokenId;
import io.smallrye.mutiny.Uni;
import io.vertx.core.net.SocketAddress;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.Socket;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import org.eclipse.microprofile.config.ConfigProvider;
import org.jboss.logging.Logger;

/**
 * The tokens of running executions. Each is made when its execution is handed to a worker and is nobody's when that ends; it is in no
 * database and on no other server, and is believed on connections of that execution's worker alone, which in turn may carry no other token.
 * So a token that code gives away is of no use to whoever gets it, and a token that code was given opens nothing from inside.
 *
 * <p>A token stands for what the execution's caller may do at each use: it is refused when the token that the execution was asked for with is
 * revoked, its principal disabled or the project out of its reach. That the caller's token expires while the execution runs does not count; the
 * execution's deadline does.
 *
 * <p>A worker's connection is known by the address that this server connects to itself from: it is noted before the connection is made.
 * Thread-safe; does not block.
 */
@Singleton
final class ExecutionTokens implements WorkerApi {
    /** What the code of an execution may do at all, if its caller's roles, the policy and the rest allow it. */
    static final Set<String> ACTIONS =
            Set.of("auth.me", "memory.read", "memory.write", "integration.read", "integration.invoke");

    private static final Logger LOG = Logger.getLogger(ExecutionTokens.class);

    /** After the deadline, for the worker to be ended. */
    private static final Duration GRACE = Duration.ofMinutes(1);

    private static final JsonMapper JSON = new JsonMapper();

    private final ProjectSettings settings;
    private final Authentication authentication;
    private final Clock clock;
    private final Map<Peer, Inside> connections = new ConcurrentHashMap<>();

    ExecutionTokens(ProjectSettings settings, Authentication authentication, Clock clock) {
        this.settings = settings;
        this.authentication = authentication;
        this.clock = clock;
    }

    @Override
    public Uni<Optional<Session>> open(Opening opening) {
        return settings.surroundingsOfCode(opening.caller().scope())
                .map(wanted ->
                        wanted.<Session>map(around -> new Inside(opening, around, clock.instant(), this::connect)))
                .onFailure()
                .recoverWithItem(failure -> {
                    LOG.warnf(
                            "whether the code of %s may ask the API is not known, so it may not: %s",
                            opening.execution().id(), failure.toString());
                    return Optional.empty();
                });
    }

    /** The execution whose worker this connection is from; empty for everybody else's. */
    Optional<Inside> on(SocketAddress remote) {
        return remote == null || remote.hostAddress() == null
                ? Optional.empty()
                : Optional.ofNullable(connections.get(new Peer(remote.hostAddress(), remote.port())));
    }

    /**
     * Who asks on a connection of this execution's worker; empty when what was presented is not its own token, when it is over, or when its caller
     * has no right to it any more. Fails as {@link Authentication#authenticate(TokenSecret)} does.
     */
    Uni<Optional<Caller>> authenticate(Inside execution, Optional<TokenSecret> presented) {
        if (!execution.isOwn(presented, clock.instant())) {
            return Uni.createFrom().item(Optional.empty());
        }
        // It may have ended while the answer was waited for.
        return authentication
                .asker(execution.asker())
                .map(found -> found.flatMap(execution::by).filter(_ -> execution.isOwn(presented, clock.instant())));
    }

    /** The far end of a connection to this server, as both sides write it. */
    private record Peer(String address, int port) {}

    private Socket connect(Inside execution, Duration limit) throws IOException {
        InetSocketAddress api = api();
        Noted socket = new Noted();
        try {
            // Bound before it connects, so that the address is known to be the execution's before the server can see
            // it.
            socket.bind(new InetSocketAddress(api.getAddress(), 0));
            socket.note(execution);
            socket.connect(api, Math.toIntExact(limit.toMillis()));
            return socket;
        } catch (IOException e) {
            socket.close();
            throw e;
        }
    }

    private static InetSocketAddress api() throws IOException {
        var config = ConfigProvider.getConfig();
        InetAddress host = InetAddress.getByName(config.getValue("quarkus.http.host", String.class));
        return new InetSocketAddress(
                host.isAnyLocalAddress() ? InetAddress.getLoopbackAddress() : host,
                config.getValue("quarkus.http.port", Integer.class));
    }

    /** A connection of this server to itself. */
    private final class Noted extends Socket {
        private volatile Optional<Peer> from = Optional.empty();

        Noted() {
            super(Proxy.NO_PROXY);
        }

        void note(Inside execution) throws IOException {
            Peer address = new Peer(getLocalAddress().getHostAddress(), getLocalPort());
            from = Optional.of(address);
            connections.put(address, execution);
            if (execution.over) {
                throw new IOException("the execution is over");
            }
        }

        @Override
        public void close() throws IOException {
            // First: when the address is free again it must not be taken for the execution's.
            from.ifPresent(connections::remove);
            super.close();
        }
    }

    /** How an execution's connections are made. */
    private interface Connect {
        Socket open(Inside execution, Duration limit) throws IOException;
    }

    /** A running execution that may ask. */
    static final class Inside implements Session {
        private final Opening opening;
        private final TokenSecret token = TokenSecret.mint(TokenKind.EXECUTION);
        private final Caller caller;
        private final PlaneAccess access;
        private volatile boolean over;

        private Inside(Opening opening, ProjectSettings.Surroundings around, Instant now, Connect connect) {
            this.opening = opening;
            this.caller = caller(
                    opening,
                    TokenId.create(),
                    opening.caller().principal().roles(),
                    now.plus(opening.timeout()).plus(GRACE));
            this.access = new PlaneAccess(limit -> connect.open(this, limit), credentials(around));
        }

        private static Caller caller(Opening opening, TokenId token, Set<Role> roles, Instant expires) {
            Principal principal = opening.caller().principal();
            ProjectScope scope = opening.caller().scope();
            return new Caller(
                    token,
                    principal.id(),
                    PrincipalKind.EXECUTION,
                    scope.tenant(),
                    principal.displayName(),
                    ACTIONS,
                    roles,
                    Optional.of(scope.workspace()),
                    Optional.of(scope.project()),
                    roles.stream()
                            .map(role -> new Caller.Grant(
                                    role, Optional.of(scope.workspace()), Optional.of(scope.project())))
                            .toList(),
                    expires);
        }

        /** Whether this is the execution's own token and it has not ended. */
        private boolean isOwn(Optional<TokenSecret> presented, Instant now) {
            return presented
                    .filter(sent -> sent.hash().equals(token.hash()))
                    .filter(_ -> !over && !caller.expired(now))
                    .isPresent();
        }

        /** The token that it was asked for with. */
        private TokenId asker() {
            return opening.caller().principal().tokenId();
        }

        /** Who asks, with the roles that the holder of that token has in the project now; empty when the project is out of reach. */
        private Optional<Caller> by(Caller holder) {
            ProjectScope scope = opening.caller().scope();
            if (!TokenHolders.reaches(holder, scope)) {
                return Optional.empty();
            }
            Set<Role> roles = holder.rolesIn(scope.workspace(), Optional.of(scope.project()));
            return Optional.of(
                    roles.equals(caller.tokenRoles())
                            ? caller
                            : caller(opening, caller.token(), roles, caller.expiresAt()));
        }

        ExecutionId execution() {
            return opening.execution().id();
        }

        /** Where what its calls leave behind is put. */
        CallingExecution calling() {
            return opening.execution();
        }

        /** The actions by integrations that the capability says it has; empty for a kind that has no way to say. */
        Optional<Set<String>> declaredActions() {
            return opening.declaredActions();
        }

        /**
         * True once it is on the execution's record.
         *
         * @param decision what allowed it; empty where no policy is asked
         */
        CompletionStage<Boolean> record(String action, String resource, Optional<Decision.Allow> decision) {
            return over
                    ? CompletableFuture.completedFuture(false)
                    : opening.execution()
                            .record(new AuditEvent.ExecutionCalled(execution(), action, resource, decision));
        }

        @Override
        public PlaneAccess access() {
            return access;
        }

        @Override
        public Map<String, String> environment() {
            Map<String, String> environment = new LinkedHashMap<>();
            environment.put("AIEL_TOKEN", token.reveal());
            environment.put("AIEL_BASE_URL", PlaneAccess.BASE_URL);
            environment.put(
                    "AIEL_EXECUTE_URL",
                    PlaneAccess.BASE_URL + "/v1/workspaces/"
                            + opening.caller().scope().workspace() + "/projects/"
                            + opening.caller().scope().project() + "/executions");
            // Clients differ in which of these they understand.
            String direct = PlaneAccess.BASE_URL.substring("http://".length()) + "," + PlaneAccess.BASE_URL;
            environment.put("NO_PROXY", direct);
            environment.put("no_proxy", direct);
            return environment;
        }

        /** A profile as the published clients keep them. */
        private JsonText credentials(ProjectSettings.Surroundings around) {
            ProjectScope scope = opening.caller().scope();
            ObjectNode file = JSON.createObjectNode().put("version", 1).put("current_profile", "default");
            ObjectNode profile = file.putObject("profiles").putObject("default");
            profile.put("base_url", PlaneAccess.BASE_URL);
            profile.put("user", caller.displayName());
            profile.put("user_id", caller.id().value());
            profile.put("tenant", scope.tenant().value());
            profile.put("tenant_id", scope.tenant().value());
            profile.put("token", token.reveal());
            write(profile.putObject("workspace"), around.workspace());
            write(profile.putObject("project"), around.project());
            return new JsonText(file.toString());
        }

        private static void write(ObjectNode part, ProjectSettings.Named named) {
            part.put("id", named.id()).put("slug", named.slug()).put("name", named.name());
        }

        @Override
        public void close() {
            over = true;
        }

        @Override
        public String toString() {
            return "Inside(" + execution() + ")";
        }
    }
}
