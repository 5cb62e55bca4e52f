package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.registry.input.InputCheck;
import io.aiel.plane.registry.input.InputProblem;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.TokenText;
import io.vertx.core.json.JsonObject;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * How a connection is to be, read out of a caller's body: everything that is wrong with it is named at once.
 *
 * @param keepsCredentials whether what opens the system may stay; not where settings changed that say what system that is: who may change
 *     these but does not know the credentials could have them sent to himself
 */
record ConnectionWish(
        String displayName,
        boolean enabled,
        String statusReason,
        JsonObject settings,
        List<String> allowed,
        List<String> granted,
        int callsPerMinute,
        Duration timeout,
        boolean keepsCredentials) {
    private static final Set<String> CHANGEABLE = Set.of(
            "display_name",
            "status",
            "status_reason",
            "settings",
            "allowed_actions",
            "granted_actions",
            "calls_per_minute",
            "timeout_ms");
    /** Of a property in a provider's schema of settings: it can be changed without setting the credentials again. */
    private static final String KEEPS_CREDENTIALS = "x-keeps-credentials";

    private static final int NAME_MAX = 200;
    private static final int REASON_MAX = 500;
    private static final int TIMEOUT_LEAST_MS = 100;

    ConnectionWish {
        allowed = List.copyOf(allowed);
        granted = List.copyOf(granted);
    }

    /** The provider that a new one names; throws the {@link Refusal} that lists those that there are. */
    static Provider provider(@Nullable JsonNode body, ProviderCatalogue catalogue) {
        JsonNode named = object(body).path("provider");
        return catalogue
                .find(named.isTextual() ? named.asText() : "")
                .orElseThrow(() -> Refusal.invalid(
                        "/provider",
                        "must be one of "
                                + String.join(
                                        ", ",
                                        catalogue.all().stream()
                                                .map(Provider::name)
                                                .toList())));
    }

    /** A new one. */
    static ConnectionWish create(
            @Nullable JsonNode body, Provider provider, InputCheck check, IntegrationSettings settings) {
        ConnectionWish usual = new ConnectionWish(
                "",
                true,
                "",
                new JsonObject(),
                List.of(),
                List.of(),
                settings.callsPerMinute(),
                settings.callTimeout(),
                false);
        return new Reader(object(body), provider, check, settings).read(usual, true);
    }

    /** What there is, as it is wanted now. */
    static ConnectionWish change(
            @Nullable JsonNode body,
            Connection present,
            Provider provider,
            InputCheck check,
            IntegrationSettings settings) {
        ConnectionWish now = new ConnectionWish(
                present.displayName(),
                present.enabled(),
                present.statusReason(),
                present.settings(),
                present.allowed(),
                present.granted(),
                present.callsPerMinute(),
                present.timeout(),
                true);
        return new Reader(object(body), provider, check, settings).read(now, false);
    }

    private static ObjectNode object(@Nullable JsonNode body) {
        if (body instanceof ObjectNode object) {
            return object;
        }
        throw new Refusal(ErrorCode.MALFORMED_REQUEST, "Send a connection as a JSON object.");
    }

    /** Names of what it has, not what they are: for the record. */
    Map<String, String> facts(String provider) {
        return Map.of(
                "provider", provider,
                "display_name", displayName,
                "status", Connection.status(enabled),
                "settings",
                        String.join(" ", settings.fieldNames().stream().sorted().toList()),
                "allowed_actions", String.join(" ", allowed),
                "granted_actions", String.join(" ", granted),
                "calls_per_minute", Integer.toString(callsPerMinute),
                "timeout_ms", Long.toString(timeout.toMillis()));
    }

    private static final class Reader {
        private final ObjectNode source;
        private final Provider provider;
        private final InputCheck check;
        private final IntegrationSettings limits;
        private final List<Map<String, String>> errors = new ArrayList<>();

        Reader(ObjectNode source, Provider provider, InputCheck check, IntegrationSettings limits) {
            this.source = source;
            this.provider = provider;
            this.check = check;
            this.limits = limits;
        }

        ConnectionWish read(ConnectionWish now, boolean fresh) {
            source.properties().forEach(member -> {
                if (!CHANGEABLE.contains(member.getKey())
                        && !(fresh && member.getKey().equals("provider"))) {
                    wrong(
                            "/" + member.getKey().replace("~", "~0").replace("/", "~1"),
                            member.getKey().equals("credentials")
                                    ? "is set with PUT …/credentials, and nowhere else"
                                    : "is not a member that can be set");
                }
            });
            boolean disabled = "disabled".equals(choice("status", now.enabled));
            JsonObject settings = settings(now.settings, fresh);
            ConnectionWish wish = new ConnectionWish(
                    text("display_name", now.displayName, fresh ? 1 : 0, NAME_MAX),
                    !disabled,
                    text("status_reason", now.statusReason, 0, REASON_MAX),
                    settings,
                    actions("allowed_actions", now.allowed),
                    actions("granted_actions", now.granted),
                    number("calls_per_minute", now.callsPerMinute, 1, limits.callsPerMinute()),
                    Duration.ofMillis(number(
                            "timeout_ms",
                            Math.toIntExact(now.timeout.toMillis()),
                            TIMEOUT_LEAST_MS,
                            Math.toIntExact(limits.callTimeoutMax().toMillis()))),
                    !fresh && sameSystem(now.settings, settings));
            refuseIfWrong(errors);
            return wish;
        }

        private String choice(String member, boolean enabled) {
            JsonNode node = source.path(member);
            if (node.isMissingNode()) {
                return Connection.status(enabled);
            }
            if (!node.asText().equals("enabled") && !node.asText().equals("disabled")) {
                wrong("/" + member, "must be enabled or disabled");
            }
            return node.asText();
        }

        private String text(String member, String absent, int least, int most) {
            JsonNode node = source.path(member);
            if (node.isMissingNode() && absent.length() >= least) {
                return absent;
            }
            String text = node.asText();
            if (!node.isTextual()
                    || text.strip().length() < least
                    || text.length() > most
                    || text.codePoints().anyMatch(Character::isISOControl)) {
                wrong("/" + member, "needs " + least + " to " + most + " characters, none of them a control character");
            } else if (TokenText.isIn(text)) {
                wrong("/" + member, "holds a token, which would go on record; revoke that token");
            }
            return text.strip();
        }

        private int number(String member, int absent, int least, int most) {
            JsonNode node = source.path(member);
            if (node.isMissingNode()) {
                return absent;
            }
            if (!node.isIntegralNumber() || !node.canConvertToInt() || node.asInt() < least || node.asInt() > most) {
                wrong("/" + member, "must be an integer between " + least + " and " + most);
                return absent;
            }
            return node.asInt();
        }

        private List<String> actions(String member, List<String> absent) {
            JsonNode node = source.path(member);
            if (node.isMissingNode()) {
                return absent;
            }
            if (!node.isArray()) {
                wrong("/" + member, "must be a list of actions");
                return absent;
            }
            List<String> actions = new ArrayList<>();
            for (int i = 0; i < node.size(); i++) {
                JsonNode action = node.get(i);
                if (!action.isTextual() || provider.action(action.asText()).isEmpty()) {
                    wrong(
                            "/" + member + "/" + i,
                            "must be one of "
                                    + String.join(", ", provider.actions().keySet()));
                } else if (!actions.contains(action.asText())) {
                    actions.add(action.asText());
                }
            }
            return actions;
        }

        private JsonObject settings(JsonObject absent, boolean fresh) {
            JsonNode node = source.path("settings");
            if (node.isMissingNode() && !fresh) {
                return absent;
            }
            problems(check, "/settings", provider.settings(), node.isMissingNode() ? source.objectNode() : node)
                    .forEach(errors::add);
            if (!node.isObject()) {
                return absent;
            }
            if (TokenText.isIn(node.toString())) {
                wrong("/settings", "hold a token, which everybody would see who may see the connection; revoke it");
            }
            return new JsonObject(node.toString());
        }

        private boolean sameSystem(JsonObject before, JsonObject after) {
            JsonObject properties =
                    new JsonObject(provider.settings().value()).getJsonObject("properties", new JsonObject());
            Set<String> names = new HashSet<>(before.fieldNames());
            names.addAll(after.fieldNames());
            return names.stream()
                    .filter(name -> !Objects.equals(before.getValue(name), after.getValue(name)))
                    .allMatch(name ->
                            properties.getJsonObject(name, new JsonObject()).getBoolean(KEEPS_CREDENTIALS, false));
        }

        private void wrong(String pointer, String message) {
            errors.add(Map.of("pointer", pointer, "message", message));
        }
    }

    /** What does not fit the schema, with pointers into the body. */
    static List<Map<String, String>> problems(InputCheck check, String at, JsonText schema, JsonNode value) {
        List<InputProblem> problems = check.check(schema, value);
        return problems.stream()
                .map(problem -> Map.of("pointer", at + problem.pointer(), "message", problem.message()))
                .toList();
    }

    static void refuseIfWrong(List<Map<String, String>> errors) {
        if (!errors.isEmpty()) {
            Map<String, String> first = errors.getFirst();
            throw new Refusal(
                    ErrorCode.VALIDATION_ERROR,
                    first.get("pointer") + ": " + first.get("message"),
                    Map.of("errors", errors));
        }
    }
}
