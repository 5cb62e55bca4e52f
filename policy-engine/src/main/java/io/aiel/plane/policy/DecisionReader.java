package io.aiel.plane.policy;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.vocabulary.NetworkHost;
import io.aiel.plane.vocabulary.Obligations;
import io.aiel.plane.vocabulary.RetryRule;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Reads OPA's result set, and believes nothing: only an answer of exactly the documented form counts, anything else is {@link
 * Reading.Unusable} with the reason. Pure and thread-safe.
 */
final class DecisionReader {
    private static final int CHARACTERS_MAX = 64 * 1024;
    private static final int REASONS_MAX = 64;
    private static final int REASON_CHARACTERS_MAX = 1024;
    private static final int REDACT_MAX = 256;
    private static final int HOSTS_MAX = 64;
    private static final Set<String> DECISION_MEMBERS = Set.of("allow", "reasons", "obligations");
    private static final Set<String> LOG_LEVELS = Set.of("debug", "info", "warning", "error");
    private static final ObjectMapper STRICT = new ObjectMapper(JsonFactory.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(16)
                            .maxNumberLength(32)
                            .build())
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    private DecisionReader() {}

    /** What the policy's answer amounts to. */
    sealed interface Reading {
        /** An explicit yes. */
        record Yes(List<String> reasons, Obligations obligations) implements Reading {}

        /** An explicit, well-formed no. */
        record No(List<String> reasons) implements Reading {}

        /** No valid answer. */
        record Unusable(String why) implements Reading {}
    }

    /** Reads {@code resultSet}, the JSON text that OPA's {@code opa_eval} returned. Never throws. */
    static Reading read(String resultSet) {
        if (resultSet.length() > CHARACTERS_MAX) {
            return new Reading.Unusable("the policy's answer is longer than " + CHARACTERS_MAX + " characters");
        }
        try {
            return decision(onlyResult(STRICT.readTree(resultSet)));
        } catch (JsonProcessingException e) {
            return new Reading.Unusable("the policy's answer is not strict JSON: " + e.getOriginalMessage());
        } catch (Odd e) {
            return new Reading.Unusable("the policy's answer " + e.what);
        }
    }

    private static JsonNode onlyResult(JsonNode resultSet) {
        if (!resultSet.isArray()) {
            throw new Odd("is not a result set");
        }
        if (resultSet.isEmpty()) {
            throw new Odd("is undefined");
        }
        if (resultSet.size() > 1) {
            throw new Odd("has " + resultSet.size() + " results where one is wanted");
        }
        JsonNode only = resultSet.get(0);
        if (!only.isObject() || only.size() != 1 || !only.has("result")) {
            throw new Odd("is not a result set");
        }
        return only.get("result");
    }

    private static Reading decision(JsonNode decision) {
        if (!decision.isObject()) {
            throw new Odd("is not an object");
        }
        for (Iterator<String> names = decision.fieldNames(); names.hasNext(); ) {
            String name = names.next();
            if (!DECISION_MEMBERS.contains(name)) {
                throw new Odd("has an unknown member " + quoted(name));
            }
        }
        boolean allow = bool(member(decision, "allow"), "allow");
        List<String> reasons = reasons(member(decision, "reasons"));
        Obligations obligations = obligations(member(decision, "obligations"));
        if (allow) {
            return new Reading.Yes(reasons, obligations);
        }
        if (reasons.isEmpty()) {
            throw new Odd("is a denial without a reason");
        }
        return new Reading.No(reasons);
    }

    private static List<String> reasons(JsonNode node) {
        List<String> reasons = texts(node, "reasons", REASONS_MAX);
        for (String reason : reasons) {
            if (reason.isBlank() || reason.length() > REASON_CHARACTERS_MAX) {
                throw new Odd("has a reason that is blank or longer than " + REASON_CHARACTERS_MAX + " characters");
            }
        }
        return reasons;
    }

    private static Obligations obligations(JsonNode node) {
        if (!node.isObject()) {
            throw new Odd("has obligations that are not an object");
        }
        OptionalInt timeoutMs = OptionalInt.empty();
        OptionalInt maxMemoryMb = OptionalInt.empty();
        List<String> redact = List.of();
        boolean approvalRequired = false;
        List<NetworkHost> network = List.of();
        boolean subprocess = false;
        Optional<String> logLevel = Optional.empty();
        Optional<RetryRule> retry = Optional.empty();
        for (Map.Entry<String, JsonNode> member : node.properties()) {
            JsonNode value = member.getValue();
            switch (member.getKey()) {
                case "timeout_ms" -> timeoutMs = OptionalInt.of(positive(value, "timeout_ms"));
                case "max_memory_mb" -> maxMemoryMb = OptionalInt.of(positive(value, "max_memory_mb"));
                case "redact" -> redact = pointers(value);
                case "require_approval" -> approvalRequired = bool(value, "require_approval");
                case "network" -> network = network(value);
                case "subprocess" -> subprocess = bool(value, "subprocess");
                case "log_level" -> logLevel = Optional.of(logLevel(value));
                case "retry" -> retry = Optional.of(retry(value));
                default -> throw new Odd("has an unknown obligation " + quoted(member.getKey()));
            }
        }
        return new Obligations(timeoutMs, maxMemoryMb, redact, approvalRequired, network, subprocess, logLevel, retry);
    }

    private static RetryRule retry(JsonNode node) {
        if (!node.isObject() || !node.has("max_attempts")) {
            throw new Odd("has an obligation retry that is not an object with max_attempts");
        }
        int attempts = 1;
        long backoffMs = RetryRule.ONCE.backoff().toMillis();
        OptionalLong backoffMaxMs = OptionalLong.empty();
        for (Map.Entry<String, JsonNode> member : node.properties()) {
            JsonNode value = member.getValue();
            switch (member.getKey()) {
                case "max_attempts" -> attempts = positive(value, "retry.max_attempts");
                case "backoff_ms" -> backoffMs = positive(value, "retry.backoff_ms");
                case "backoff_max_ms" -> backoffMaxMs = OptionalLong.of(positive(value, "retry.backoff_max_ms"));
                default -> throw new Odd("has an obligation retry with the unknown member " + quoted(member.getKey()));
            }
        }
        long longest = backoffMaxMs.orElse(
                Math.max(backoffMs, RetryRule.ONCE.backoffMax().toMillis()));
        try {
            return new RetryRule(attempts, Duration.ofMillis(backoffMs), Duration.ofMillis(longest));
        } catch (IllegalArgumentException e) {
            throw new Odd("has an obligation retry that is " + e.getMessage());
        }
    }

    /** {@code false}, or the hosts by name. A bare {@code true} names none and so is no valid answer. */
    private static List<NetworkHost> network(JsonNode node) {
        if (node.isBoolean() && !node.booleanValue()) {
            return List.of();
        }
        if (!node.isObject() || node.size() != 1 || !node.has("hosts")) {
            throw new Odd("has an obligation network that is neither false nor an object with hosts alone");
        }
        List<String> written = texts(node.get("hosts"), "network.hosts", HOSTS_MAX);
        if (written.isEmpty()) {
            throw new Odd("has an obligation network without a host");
        }
        List<NetworkHost> hosts = new ArrayList<>(written.size());
        for (String host : written) {
            try {
                hosts.add(NetworkHost.parse(host));
            } catch (IllegalArgumentException e) {
                throw new Odd("has an obligation network with the host " + quoted(host) + ": " + e.getMessage());
            }
        }
        return hosts;
    }

    private static List<String> pointers(JsonNode node) {
        List<String> pointers = texts(node, "redact", REDACT_MAX);
        for (String pointer : pointers) {
            // RFC 6901: empty, or each token introduced by a slash.
            if (!pointer.isEmpty() && pointer.charAt(0) != '/') {
                throw new Odd("has an obligation redact with " + quoted(pointer) + ", which is not a JSON pointer");
            }
        }
        return pointers;
    }

    private static String logLevel(JsonNode node) {
        if (!node.isTextual() || !LOG_LEVELS.contains(node.textValue())) {
            throw new Odd("has an obligation log_level that is none of debug, info, warning, error");
        }
        return node.textValue();
    }

    private static int positive(JsonNode node, String name) {
        if (!node.isIntegralNumber() || !node.canConvertToInt() || node.intValue() < 1) {
            throw new Odd("has an obligation " + name + " that is not a whole number from 1 to " + Integer.MAX_VALUE);
        }
        return node.intValue();
    }

    private static boolean bool(JsonNode node, String name) {
        if (!node.isBoolean()) {
            throw new Odd("has a member " + name + " that is neither true nor false");
        }
        return node.booleanValue();
    }

    private static List<String> texts(JsonNode node, String name, int sizeMax) {
        if (!node.isArray() || node.size() > sizeMax) {
            throw new Odd("has a member " + name + " that is not a list of at most " + sizeMax);
        }
        List<String> texts = new ArrayList<>(node.size());
        for (JsonNode element : node) {
            if (!element.isTextual()) {
                throw new Odd("has a member " + name + " with something that is not a text");
            }
            texts.add(element.textValue());
        }
        return texts;
    }

    private static JsonNode member(JsonNode object, String name) {
        JsonNode value = object.get(name);
        if (value == null) {
            throw new Odd("has no member " + name);
        }
        return value;
    }

    /** The policy's own text, shortened: it ends up in a reason. */
    private static String quoted(String text) {
        return '"' + (text.length() > 64 ? text.substring(0, 64) + "…" : text) + '"';
    }

    /** In what the answer is odd. Never leaves this class. */
    private static final class Odd extends RuntimeException {
        private final String what;

        Odd(String what) {
            super(what, null, false, false);
            this.what = what;
        }
    }
}
