package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.core.JsonPointer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Stream;

/** Reads descriptions of systems and says everything that is wrong with one at once. Computation without I/O. */
final class ConnectorReader {
    private static final Set<String> CONNECTOR_MEMBERS = Set.of(
            "provider",
            "display_name",
            "connector",
            "resource_type",
            "auth",
            "settings",
            "credentials",
            "health_check",
            "http",
            "actions");
    private static final Set<String> METHODS = Set.of("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE");
    private static final Set<Integer> REFUSED = Set.of(400, 403, 404, 409, 422, 429, 502, 504);

    /** The request's own, or about the connection and not about what is asked for. */
    private static final Set<String> RESERVED_HEADERS =
            Set.of("host", "content-length", "transfer-encoding", "connection", "authorization", "cookie");

    private final List<String> problems = new ArrayList<>();

    private ConnectorReader() {}

    /** The system that is described; throws {@link ConnectorInvalid} with all that is wrong. */
    static HttpConnector read(JsonNode description) {
        ConnectorReader reader = new ConnectorReader();
        HttpConnector connector = reader.connector(description);
        if (!reader.problems.isEmpty()) {
            throw new ConnectorInvalid(connector.provider(), reader.problems);
        }
        return connector;
    }

    private HttpConnector connector(JsonNode description) {
        only(description, "", CONNECTOR_MEMBERS);
        String provider = text(description, "", "provider");
        Stream.of("display_name", "resource_type").forEach(name -> text(description, "", name));
        Stream.of("settings", "credentials").forEach(name -> schema(description, "", name));
        text(description.path("connector"), "/connector", "id");
        text(description.path("connector"), "/connector", "version");
        text(description.path("auth"), "/auth", "method");
        JsonNode http = description.path("http");
        only(http, "/http", Set.of("auth", "headers", "error_text", "answers"));
        Map<String, HttpConnector.Action> actions = new LinkedHashMap<>();
        description.path("actions").properties().forEach(action -> {
            if (!action.getKey().startsWith(provider + ".")) {
                problems.add("/actions: " + action.getKey() + " does not begin with the provider's name");
            }
            actions.put(action.getKey(), action(action.getKey(), action.getValue()));
        });
        String healthCheck = text(description, "", "health_check");
        HttpConnector.Action check = actions.get(healthCheck);
        if (check == null || check.write()) {
            problems.add("/health_check: " + healthCheck + " is none of the actions that read");
        }
        ObjectNode defaults = defaults(description.path("settings"));
        for (String name : List.of("base_url", "token_url")) {
            optionalText(defaults, name).ifPresent(url -> url(url, name));
        }
        if (!description.path("settings").path("properties").has("base_url")) {
            problems.add("/settings: have no base_url");
        }
        List<HttpAuth> auth = list(http.path("auth"), "/http/auth", this::auth);
        if (auth.isEmpty()) {
            problems.add("/http/auth: says in no way how credentials are sent");
        }
        for (HttpAuth each : auth) {
            for (String member : each.way().members()) {
                if (!description.path("credentials").path("properties").has(member)) {
                    problems.add("/http/auth: " + member + " is not among the credentials");
                }
            }
        }
        return new HttpConnector(
                provider,
                defaults,
                auth,
                headers(http, "/http"),
                list(http.path("error_text"), "/http/error_text", this::pointer),
                list(http.path("answers"), "/http/answers", this::rule),
                actions,
                healthCheck);
    }

    /** What members are when they are not there. */
    private static ObjectNode defaults(JsonNode schema) {
        ObjectNode defaults = JsonNodeFactory.instance.objectNode();
        schema.path("properties").properties().forEach(member -> {
            JsonNode value = member.getValue().get("default");
            if (value != null) {
                defaults.set(member.getKey(), value);
            }
        });
        return defaults;
    }

    private void url(String url, String name) {
        try {
            BaseUrl.parse(url, Set.of());
        } catch (IllegalArgumentException e) {
            problems.add("/settings/" + name + ": " + e.getMessage());
        }
    }

    private HttpConnector.Action action(String name, JsonNode action) {
        String where = "/actions/" + name;
        only(action, where, Set.of("capability", "effect", "params", "http"));
        text(action, where, "capability");
        schema(action, where, "params");
        String effect = text(action, where, "effect");
        if (!Set.of("read", "write").contains(effect)) {
            problems.add(where + "/effect: is read or write");
        }
        JsonNode http = action.path("http");
        List<HttpExchange> exchanges = http.has("first_of")
                ? list(http.path("first_of"), where + "/http/first_of", this::exchange)
                : List.of(exchange(http, where + "/http"));
        if (exchanges.isEmpty() || exchanges.getLast().when().isPresent()) {
            problems.add(where + "/http: the last way to make it must have no condition");
        }
        if (effect.equals("write") && exchanges.stream().anyMatch(HttpExchange::streams)) {
            problems.add(where + "/http: what is streamed only reads, as nobody knows of a write that broke off");
        }
        return new HttpConnector.Action(name, effect.equals("write"), defaults(action.path("params")), exchanges);
    }

    private HttpExchange exchange(JsonNode http, String where) {
        only(
                http,
                where,
                Set.of(
                        "when",
                        "open",
                        "method",
                        "path",
                        "from_root",
                        "query",
                        "headers",
                        "body",
                        "result",
                        "answers",
                        "idempotency_header",
                        "streams"));
        boolean open = http.path("open").asBoolean(false);
        Optional<String> method = open ? Optional.empty() : Optional.of(text(http, where, "method"));
        Optional<PathText> path = open
                ? Optional.empty()
                : Optional.of(PathText.parse(text(http, where, "path"), where + "/path", problems));
        method.filter(name -> !METHODS.contains(name))
                .ifPresent(name -> problems.add(where + "/method: " + name + " is none that is made here"));
        if (open && (http.has("method") || http.has("path") || http.has("query"))) {
            problems.add(where + ": what is open is the caller's: method, path and query have no place here");
        }
        return new HttpExchange(
                condition(http, where),
                method,
                path,
                http.path("from_root").asBoolean(false),
                templates(http.path("query"), where + "/query"),
                headers(http, where),
                template(http, where, "body"),
                template(http, where, "result").orElseGet(() -> new JsonTemplate.Name(List.of("response"))),
                list(http.path("answers"), where + "/answers", this::rule),
                template(http, where, "idempotency_header"),
                http.path("streams").asBoolean(false));
    }

    private Map<String, JsonTemplate> headers(JsonNode http, String where) {
        Map<String, JsonTemplate> headers = templates(http.path("headers"), where + "/headers");
        headers.keySet().forEach(name -> {
            if (!OutboundRequest.isToken(name) || RESERVED_HEADERS.contains(name.toLowerCase(Locale.ROOT))) {
                problems.add(where + "/headers: " + name + " is no header that a description may set");
            }
        });
        return headers;
    }

    private Map<String, JsonTemplate> templates(JsonNode node, String where) {
        Map<String, JsonTemplate> templates = new LinkedHashMap<>();
        node.properties()
                .forEach(member -> templates.put(
                        member.getKey(),
                        JsonTemplate.parse(member.getValue(), where + "/" + member.getKey(), problems)));
        return templates;
    }

    private Optional<JsonTemplate> template(JsonNode node, String where, String name) {
        return node.has(name)
                ? Optional.of(JsonTemplate.parse(node.path(name), where + "/" + name, problems))
                : Optional.empty();
    }

    private Optional<AnswerRule.Condition> condition(JsonNode node, String where) {
        if (!node.has("when")) {
            return Optional.empty();
        }
        JsonNode when = node.path("when");
        only(when, where + "/when", Set.of("present", "is", "equals"));
        String name = when.has("present") ? "present" : "is";
        if (when.has("equals") != name.equals("is")) {
            problems.add(where + "/when: is {present: name} or {is: name, equals: value}");
        }
        return Optional.of(new AnswerRule.Condition(
                JsonTemplate.parse(when.path(name), where + "/when/" + name, problems),
                Optional.ofNullable(when.get("equals"))));
    }

    private HttpAuth auth(JsonNode node, String where) {
        only(node, where, Set.of("when", "bearer", "basic", "header", "service_account", "emulator", "none"));
        Set<String> ways = new LinkedHashSet<>();
        node.fieldNames().forEachRemaining(ways::add);
        ways.remove("when");
        if (ways.size() != 1) {
            problems.add(where + ": is one way to send credentials");
        }
        JsonNode of = ways.isEmpty() ? node : node.path(ways.iterator().next());
        HttpAuth.Way way = switch (ways.isEmpty() ? "none" : ways.iterator().next()) {
            case "bearer" -> new HttpAuth.Way.Bearer(text(node, where, "bearer"));
            case "basic" ->
                new HttpAuth.Way.Basic(required(of, where + "/basic", "user"), text(of, where + "/basic", "password"));
            case "header" ->
                new HttpAuth.Way.Header(required(of, where + "/header", "name"), text(of, where + "/header", "value"));
            case "service_account" ->
                new HttpAuth.Way.ServiceAccount(
                        required(of, where + "/service_account", "email"),
                        text(of, where + "/service_account", "private_key"),
                        required(of, where + "/service_account", "token_url"),
                        text(of, where + "/service_account", "scope"));
            case "emulator" -> new HttpAuth.Way.Emulator(text(node, where, "emulator"));
            default -> new HttpAuth.Way.None();
        };
        return new HttpAuth(condition(node, where), way);
    }

    private JsonTemplate required(JsonNode node, String where, String name) {
        return template(node, where, name).orElseGet(() -> {
            problems.add(where + "/" + name + ": is missing");
            return new JsonTemplate.Literal(TextNode.valueOf(""));
        });
    }

    private AnswerRule rule(JsonNode node, String where) {
        only(node, where, Set.of("status", "at", "in", "equals", "matches", "result", "refuse", "fails"));
        Set<JsonNode> is = new LinkedHashSet<>();
        node.path("in").forEach(is::add);
        Optional.ofNullable(node.get("equals")).ifPresent(is::add);
        Optional<Pattern> matches = optionalText(node, "matches").flatMap(text -> pattern(text, where));
        if (node.has("at") == (is.isEmpty() && matches.isEmpty())) {
            problems.add(where + ": what is at a place goes with in, equals or matches");
        }
        return new AnswerRule(
                list(node.path("status"), where + "/status", this::statuses),
                node.has("at") ? Optional.of(pointer(node.path("at"), where + "/at")) : Optional.empty(),
                is,
                matches,
                meaning(node, where));
    }

    private AnswerRule.Meaning meaning(JsonNode node, String where) {
        if (Stream.of("result", "refuse", "fails").filter(node::has).count() != 1) {
            problems.add(where + ": means one of result, refuse, fails");
        }
        if (node.has("result")) {
            return new AnswerRule.Meaning.Result(JsonTemplate.parse(node.path("result"), where + "/result", problems));
        }
        if (!node.has("refuse")) {
            return new AnswerRule.Meaning.Failure();
        }
        JsonNode refuse = node.path("refuse");
        only(refuse, where + "/refuse", Set.of("code", "status", "hint"));
        int status = refuse.path("status").asInt();
        if (!REFUSED.contains(status)) {
            problems.add(where + "/refuse/status: is none of those that callers know: " + status);
        }
        return new AnswerRule.Meaning.Refusal(
                text(refuse, where + "/refuse", "code"), status, text(refuse, where + "/refuse", "hint"));
    }

    private AnswerRule.Statuses statuses(JsonNode node, String where) {
        int from = node.isArray() ? node.path(0).asInt() : node.asInt();
        int to = node.isArray() ? node.path(1).asInt() : from;
        if (from < 100 || to > 599 || from > to) {
            problems.add(where + ": is a status, or two of them from the lower to the higher");
        }
        return new AnswerRule.Statuses(from, to);
    }

    private Optional<Pattern> pattern(String text, String where) {
        try {
            return Optional.of(Pattern.compile(text));
        } catch (PatternSyntaxException e) {
            problems.add(where + "/matches: " + e.getDescription());
            return Optional.empty();
        }
    }

    private JsonPointer pointer(JsonNode node, String where) {
        try {
            return JsonPointer.compile(node.asText());
        } catch (IllegalArgumentException e) {
            problems.add(where + ": " + node.asText() + " is no JSON pointer");
            return JsonPointer.empty();
        }
    }

    private interface Read<T> {
        T read(JsonNode node, String where);
    }

    private static <T> List<T> list(JsonNode node, String where, Read<T> read) {
        List<T> all = new ArrayList<>();
        for (int i = 0; i < node.size(); i++) {
            all.add(read.read(node.path(i), where + "/" + i));
        }
        return all;
    }

    private void only(JsonNode node, String where, Set<String> known) {
        if (!node.isObject()) {
            problems.add((where.isEmpty() ? "/" : where) + ": is missing or no object");
        }
        node.fieldNames().forEachRemaining(name -> {
            if (!known.contains(name)) {
                problems.add(where + "/" + name + ": is not known");
            }
        });
    }

    private void schema(JsonNode node, String where, String name) {
        JsonNode schema = node.path(name);
        if (!schema.path("type").asText().equals("object") || !schema.has("additionalProperties")) {
            problems.add(where + "/" + name + ": is a schema of an object that says whether it may have other members");
        }
    }

    private String text(JsonNode node, String where, String name) {
        return optionalText(node, name).filter(text -> !text.isEmpty()).orElseGet(() -> {
            problems.add(where + "/" + name + ": is missing or no text");
            return "";
        });
    }

    private static Optional<String> optionalText(JsonNode node, String name) {
        return Optional.ofNullable(node.path(name).textValue());
    }
}
