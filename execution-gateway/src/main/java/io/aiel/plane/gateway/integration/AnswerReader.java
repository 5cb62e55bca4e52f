package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonPointer;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import io.aiel.plane.gateway.integration.OutboundHttp.Sent;
import io.vertx.core.buffer.Buffer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Makes a result of an answer: what the description says of it, or else what HTTP says of its status. No header of the answer gets into a
 * result, and no credential. Computation without I/O.
 */
final class AnswerReader {
    private static final int TOLD_CHARACTERS_MAX = 300;
    private static final long RETRY_SECONDS_MAX = 3_600;
    private static final int DEPTH_MAX = 500;

    /** Values, names and brackets; as many as a request to the plane itself may have. An empty object of three bytes takes about a hundred in memory. */
    private static final long TOKENS_MAX = 500_000;

    /** Reads what others sent: within bounds, and numbers as they came. */
    static final JsonMapper JSON = JsonMapper.builder(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(DEPTH_MAX)
                            .maxTokenCount(TOKENS_MAX)
                            .build())
                    .build())
            // Numbers come out as they came in.
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
            .build();

    private final HttpConnector connector;
    private final HttpExchange exchange;
    private final boolean write;
    private final CredentialScrub scrub;
    private final Clock clock;

    AnswerReader(HttpConnector connector, HttpExchange exchange, boolean write, CredentialScrub scrub, Clock clock) {
        this.connector = connector;
        this.exchange = exchange;
        this.write = write;
        this.scrub = scrub;
        this.clock = clock;
    }

    ActionResult read(Sent.Answered answer, ObjectNode asked) {
        boolean taken = answer.status() >= 200 && answer.status() < 300;
        if (answer.unread() && taken) {
            return unreadable(
                    "its answer is longer than what is read here, or is packed; ask for less", "answer_too_large", 422);
        }
        JsonNode body;
        try {
            body = exchange.method().isEmpty() ? openBody(answer) : json(answer.body());
        } catch (StreamConstraintsException e) {
            if (taken) {
                return unreadable(
                        "its answer has more or deeper values than are read here; ask for less",
                        "answer_too_large",
                        422);
            }
            body = MissingNode.getInstance();
        }
        for (AnswerRule rule : Stream.concat(exchange.answers().stream(), connector.answers().stream())
                .toList()) {
            if (rule.appliesTo(answer.status(), body)) {
                return switch (rule.meaning()) {
                    case AnswerRule.Meaning.Result(var of) -> result(of, answer.status(), body, asked);
                    case AnswerRule.Meaning.Refusal(var code, var status, var hint) ->
                        refused(code, status, hint, body, answer);
                    case AnswerRule.Meaning.Failure() -> failed(body);
                };
            }
        }
        return taken ? result(exchange.result(), answer.status(), body, asked) : byStatus(answer, body);
    }

    private ActionResult byStatus(Sent.Answered answer, JsonNode body) {
        int status = answer.status();
        if (status < 400) {
            return refused(
                    "redirected",
                    409,
                    "redirects are not followed; put the last address into the connection's base_url",
                    MissingNode.getInstance(),
                    answer);
        }
        return switch (status) {
            // 409: the connection is in the way until somebody mends it. 502 would have clients try a dead credential
            // four times.
            case 401 -> refused("invalid_auth", 409, "renew the connection's credentials", body, answer);
            case 403 -> refused("forbidden", 403, "the connection's credentials do not allow this there", body, answer);
            case 404, 410 -> refused("not_found", 404, "look at the names in the parameters", body, answer);
            case 409, 412 -> refused("conflict", 409, "look at what is there now", body, answer);
            case 429 -> refused("rate_limited", 429, "wait and try again", body, answer);
            case 503 -> refused("unavailable", 502, "try again later", body, answer);
            default ->
                status >= 500 || status == 408
                        ? failed(body)
                        : refused("rejected", 422, "look at the parameters", body, answer);
        };
    }

    private ActionResult result(JsonTemplate template, int status, JsonNode body, ObjectNode asked) {
        ObjectNode scope = asked.deepCopy();
        scope.put("status", status);
        if (!body.isMissingNode()) {
            scope.set("response", body);
        }
        try {
            return template.fill(scope)
                    .map(scrub::document)
                    .filter(JsonNode::isObject)
                    .<ActionResult>map(object -> new ActionResult.Done((ObjectNode) object))
                    .orElseGet(() -> unreadable("its answer is not what was expected", "bad_answer", 502));
        } catch (IllegalArgumentException e) {
            return unreadable("its answer is not what was expected: " + e.getMessage(), "bad_answer", 502);
        }
    }

    /** It took what was sent, and what it says of that cannot be told. */
    private ActionResult unreadable(String why, String code, int status) {
        return write
                ? new ActionResult.Unknown(connector.provider() + " took the request, but " + why)
                : ActionResult.refused(code, connector.provider() + " answered, but " + why, status);
    }

    /** After a failure of its own nobody can say what of a write was done. */
    private ActionResult failed(JsonNode body) {
        String told = connector.provider() + " failed" + told(body);
        return write
                ? new ActionResult.Unknown(told + ": look there whether it took effect, before it is tried again")
                : ActionResult.refused("provider_error", told + ": try again", 502);
    }

    private ActionResult refused(String code, int status, String hint, JsonNode body, Sent.Answered answer) {
        Optional<Duration> retryAfter =
                status == 429 || status == 502 ? answer.retryAfter().flatMap(this::wait) : Optional.empty();
        // What systems say of a credential that they do not take often shows a part of it.
        String told = code.equals("invalid_auth") ? "" : told(body);
        return new ActionResult.Refused(
                code, connector.provider() + " refused" + told + ": " + hint, status, retryAfter);
    }

    /** What it says is wrong, in parentheses; without credentials, before it is cut so that no half of one is left. */
    private String told(JsonNode body) {
        for (JsonPointer pointer : connector.errorText()) {
            String text = text(body.at(pointer));
            if (!text.isEmpty()) {
                String clean = scrub.text(text).replaceAll("\\p{Cntrl}+", " ").strip();
                return " (" + clean.substring(0, Math.min(clean.length(), TOLD_CHARACTERS_MAX)) + ")";
            }
        }
        return "";
    }

    private static String text(JsonNode node) {
        if (node.isValueNode()) {
            return node.isNull() ? "" : node.asText();
        }
        List<String> parts = new ArrayList<>();
        if (node.isArray()) {
            node.forEach(each -> parts.add(text(each)));
        } else {
            node.properties().forEach(member -> parts.add(member.getKey() + ": " + text(member.getValue())));
        }
        return String.join("; ", parts);
    }

    private Optional<Duration> wait(String header) {
        try {
            long seconds = header.strip().matches("[0-9]{1,9}")
                    ? Long.parseLong(header.strip())
                    : Duration.between(
                                    clock.instant(),
                                    Instant.from(ZonedDateTime.parse(header, DateTimeFormatter.RFC_1123_DATE_TIME)))
                            .toSeconds();
            return Optional.of(Duration.ofSeconds(Math.clamp(seconds, 1, RETRY_SECONDS_MAX)));
        } catch (DateTimeException e) {
            return Optional.empty();
        }
    }

    private static JsonNode json(Buffer body) throws StreamConstraintsException {
        try {
            return body.length() == 0 ? MissingNode.getInstance() : JSON.readTree(body.getBytes());
        } catch (StreamConstraintsException e) {
            throw e;
        } catch (JacksonException e) {
            return MissingNode.getInstance();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** JSON where it says so, else text, else base64 of the bytes unless there is a credential in them. */
    private JsonNode openBody(Sent.Answered answer) {
        String type = answer.contentType().toLowerCase(Locale.ROOT);
        String media = type.split(";", -1)[0].strip();
        if (media.equals("application/json") || media.endsWith("+json")) {
            try {
                JsonNode parsed = json(answer.body());
                if (!parsed.isMissingNode()) {
                    return parsed;
                }
            } catch (StreamConstraintsException e) {
                // As text it takes no more than its bytes.
            }
        }
        byte[] bytes = answer.body().getBytes();
        try {
            return TextNode.valueOf(StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString());
        } catch (CharacterCodingException e) {
            return scrub.isClean(new String(bytes, StandardCharsets.ISO_8859_1))
                    ? JsonNodeFactory.instance
                            .objectNode()
                            .put("base64", Base64.getEncoder().encodeToString(bytes))
                    : MissingNode.getInstance();
        }
    }
}
