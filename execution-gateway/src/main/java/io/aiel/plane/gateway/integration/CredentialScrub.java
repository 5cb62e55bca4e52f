package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * Takes the credentials of a call out of what comes back: as they are, and in the encodings in which an echo shows them (base64 at any
 * offset, hex, percent-encoded, escaped as in JSON). It guards against systems that repeat what they were sent, not against one that means
 * to tell: that one has the credential anyway. Immutable.
 */
final class CredentialScrub {
    private static final String INSTEAD = "[redacted]";

    /** Shorter ones would cut into ordinary words; no schema takes one (ProviderCatalogueTest). */
    static final int CHARACTERS_MIN = 4;

    private static final int SHOWN_MAX = 200;

    private final List<String> forms;

    private CredentialScrub(Set<String> forms) {
        // The longest first, so that no part of a longer form is left beside a shorter one.
        this.forms = forms.stream()
                .sorted(Comparator.comparingInt(String::length).reversed())
                .toList();
    }

    /** For these values, and for the lines of those that have several. */
    static CredentialScrub of(Iterable<String> secrets) {
        Set<String> forms = new LinkedHashSet<>();
        for (String secret : secrets) {
            add(secret, forms);
            secret.lines().map(String::strip).forEach(line -> add(line, forms));
        }
        return new CredentialScrub(forms);
    }

    /** All texts in the credentials of a connection. */
    static List<String> texts(JsonNode credentials) {
        List<String> texts = new ArrayList<>();
        collect(credentials, texts);
        return texts;
    }

    private static void collect(JsonNode node, List<String> into) {
        if (node.isTextual()) {
            into.add(node.textValue());
        } else {
            node.forEach(child -> collect(child, into));
        }
    }

    private static void add(String secret, Set<String> forms) {
        if (secret.length() < CHARACTERS_MIN) {
            return;
        }
        byte[] bytes = secret.getBytes(StandardCharsets.UTF_8);
        forms.add(secret);
        String hex = HexFormat.of().formatHex(bytes);
        forms.add(hex);
        forms.add(hex.toUpperCase(Locale.ROOT));
        String percent = RequestPath.encoded(secret);
        forms.add(percent);
        forms.add(lowerEscapes(percent));
        forms.add(percent.replace("%20", "+"));
        String everyOctet = HexFormat.of().withPrefix("%").formatHex(bytes);
        forms.add(everyOctet);
        forms.add(everyOctet.toUpperCase(Locale.ROOT));
        String escaped = TextNode.valueOf(secret).toString();
        escaped = escaped.substring(1, escaped.length() - 1);
        forms.add(escaped);
        forms.add(escaped.replace("/", "\\/"));
        for (int offset = 0; offset < 3; offset++) {
            String base64 = base64(bytes, offset);
            if (base64.length() >= CHARACTERS_MIN) {
                forms.add(base64);
                forms.add(base64.replace('+', '-').replace('/', '_'));
            }
        }
    }

    private static String lowerEscapes(String percent) {
        StringBuilder lower = new StringBuilder(percent);
        for (int i = lower.indexOf("%"); i >= 0; i = lower.indexOf("%", i + 1)) {
            for (int at = i + 1; at <= i + 2; at++) {
                lower.setCharAt(at, Character.toLowerCase(lower.charAt(at)));
            }
        }
        return lower.toString();
    }

    /** Those characters that are the same whatever comes before, of so many bytes modulo three, and whatever comes after. */
    private static String base64(byte[] bytes, int offset) {
        byte[] shifted = new byte[bytes.length + offset];
        System.arraycopy(bytes, 0, shifted, offset, bytes.length);
        String text = Base64.getEncoder().withoutPadding().encodeToString(shifted);
        int from = offset == 0 ? 0 : offset + 1;
        int to = shifted.length * 8 / 6;
        return from < to ? text.substring(from, to) : "";
    }

    /** Whether there is none of them in it. */
    boolean isClean(String text) {
        return forms.stream().noneMatch(text::contains);
    }

    /** The text without them. */
    String text(String text) {
        String clean = text;
        for (String form : forms) {
            clean = clean.replace(form, INSTEAD);
        }
        return clean;
    }

    /** The document without them, names of members included. */
    JsonNode document(JsonNode node) {
        if (node.isTextual()) {
            String clean = text(node.textValue());
            return clean.equals(node.textValue()) ? node : TextNode.valueOf(clean);
        }
        if (node.isArray()) {
            ArrayNode clean = JsonNodeFactory.instance.arrayNode(node.size());
            node.forEach(child -> clean.add(document(child)));
            return clean;
        }
        if (node.isObject()) {
            ObjectNode clean = JsonNodeFactory.instance.objectNode();
            node.properties().forEach(member -> clean.set(text(member.getKey()), document(member.getValue())));
            return clean;
        }
        // A credential of digits, such as a PIN, may come back as a number.
        String number = node.isNumber() ? node.asText() : "";
        return node.isNumber() && !isClean(number) ? TextNode.valueOf(INSTEAD) : node;
    }

    /** For the log and the debugger: how many forms there are, and none of them. */
    @Override
    public String toString() {
        return "CredentialScrub(" + forms.size() + ")";
    }

    /** What a server says, to be passed on: without the credentials, and not more of it than is of use. */
    static String shown(String text, JsonNode credentials) {
        String clean = of(texts(credentials)).text(text);
        return clean.length() <= SHOWN_MAX ? clean : clean.substring(0, SHOWN_MAX) + "…";
    }
}
