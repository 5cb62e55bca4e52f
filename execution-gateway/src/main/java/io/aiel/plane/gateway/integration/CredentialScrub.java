package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Takes the credentials of a call out of what comes back: as they are, and in the encodings in which an echo shows them (base64 at any
 * offset, hex, percent-encoded), each also behind up to three layers of escapes ({@link EscapedText}). It guards against systems that repeat
 * what they were sent, not against one that means to tell: that one has the credential anyway. Immutable.
 *
 * <p>The work grows with the text, not with the text times the credentials: each layer is one pass that looks for all forms at once. A text that
 * looks so much like a credential all along that the comparing would take longer is taken out as a whole.
 */
final class CredentialScrub {
    private static final String INSTEAD = "[redacted]";

    /** Shorter ones would cut into ordinary words; no schema takes one (ProviderCatalogueTest). */
    static final int CHARACTERS_MIN = 4;

    private static final int SHOWN_MAX = 200;

    /** One more than is promised: a credential may itself look as if there was an escape in it, and is then found below that. */
    private static final int LAYERS_MAX = 4;

    /** Characters compared for one of the text. Echoes need one or two. */
    private static final long COMPARED_PER_CHARACTER = 64;

    private static final long COMPARED_MIN = 100_000;

    private static final int MARKS = 1 << 16;

    /** By their first characters, the longest first. */
    private final Map<Long, List<String>> forms = new HashMap<>();

    /** By a hash of their first characters, so that most places of a text cost no lookup. */
    private final long[] marks = new long[MARKS / Long.SIZE];

    private final int count;

    private CredentialScrub(Set<String> found) {
        Set<String> all = new LinkedHashSet<>(found);
        for (String form : found) {
            EscapedText text = new EscapedText(form);
            for (int layer = 0; layer < LAYERS_MAX && text.unescape(); layer++) {
                all.add(text.text());
            }
        }
        all.removeIf(form -> form.length() < CHARACTERS_MIN);
        all.stream().sorted(Comparator.comparingInt(String::length).reversed()).forEach(form -> {
            long start = 0;
            for (int i = 0; i < CHARACTERS_MIN; i++) {
                start = start << Character.SIZE | form.charAt(i);
            }
            forms.computeIfAbsent(start, _ -> new ArrayList<>()).add(form);
            marks[mark(start) / Long.SIZE] |= 1L << mark(start) % Long.SIZE;
        });
        this.count = all.size();
    }

    private static int mark(long start) {
        return (int) ((start * 0x9E3779B97F4A7C15L) >>> 48);
    }

    /** For these values, and for the lines of those that have several. */
    static CredentialScrub of(Iterable<String> secrets) {
        Set<String> forms = new LinkedHashSet<>();
        for (String secret : secrets) {
            add(secret, forms);
            // What a key is put between is no secret, and in many texts.
            secret.lines()
                    .map(String::strip)
                    .filter(line -> !line.startsWith("-----"))
                    .forEach(line -> add(line, forms));
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
        return found(text).isEmpty();
    }

    /** The text without them. */
    String text(String text) {
        Spans found = found(text);
        return found.isEmpty() ? text : found.without(text);
    }

    private Spans found(String text) {
        Spans found = new Spans();
        if (text.length() < CHARACTERS_MIN || count == 0) {
            return found;
        }
        long budget = COMPARED_MIN + COMPARED_PER_CHARACTER * text.length();
        EscapedText layer = new EscapedText(text);
        for (int i = 0; i <= LAYERS_MAX; i++) {
            budget = search(layer, found, budget);
            if (budget < 0) {
                Spans whole = new Spans();
                whole.add(0, text.length());
                return whole;
            }
            if (i < LAYERS_MAX && !layer.unescape()) {
                break;
            }
        }
        return found;
    }

    /** Looks at every place, also within what was found already: forms may overlap. What is left of the budget; below zero when it was not enough. */
    private long search(EscapedText text, Spans found, long budget) {
        long left = budget;
        long start = 0;
        for (int end = 1; end <= text.length(); end++) {
            start = start << Character.SIZE | text.at(end - 1);
            if (end < CHARACTERS_MIN || (marks[mark(start) / Long.SIZE] & 1L << mark(start) % Long.SIZE) == 0) {
                continue;
            }
            int from = end - CHARACTERS_MIN;
            for (String form : forms.getOrDefault(start, List.of())) {
                int alike = alike(text, from, form);
                left -= alike - CHARACTERS_MIN + 1;
                if (left < 0) {
                    return left;
                }
                if (alike == form.length()) {
                    found.add(text.origin(from), text.origin(from + alike));
                    break;
                }
            }
        }
        return left;
    }

    private static int alike(EscapedText text, int from, String form) {
        int most = Math.min(form.length(), text.length() - from);
        int alike = CHARACTERS_MIN;
        while (alike < most && text.at(from + alike) == form.charAt(alike)) {
            alike++;
        }
        return alike;
    }

    /** Parts of a text, as pairs of where they begin and end. */
    private static final class Spans {
        private long[] spans = {};
        private int size;

        boolean isEmpty() {
            return size == 0;
        }

        void add(int from, int to) {
            if (size > 0 && from >= from(size - 1) && from < to(size - 1)) {
                // It goes on where the one before has not ended.
                spans[size - 1] = pair(from(size - 1), Math.max(to, to(size - 1)));
                return;
            }
            if (size == spans.length) {
                spans = Arrays.copyOf(spans, Math.max(4, 2 * size));
            }
            spans[size++] = pair(from, to);
        }

        private static long pair(int from, int to) {
            return (long) from << Integer.SIZE | to;
        }

        private int from(int index) {
            return (int) (spans[index] >>> Integer.SIZE);
        }

        private int to(int index) {
            return (int) spans[index];
        }

        String without(String text) {
            Arrays.sort(spans, 0, size);
            StringBuilder clean = new StringBuilder(text.length());
            int at = 0;
            for (int i = 0; i < size; i++) {
                if (i == 0 || from(i) >= at) {
                    clean.append(text, at, from(i)).append(INSTEAD);
                }
                at = Math.max(at, to(i));
            }
            return clean.append(text, at, text.length()).toString();
        }
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
        return "CredentialScrub(" + count + ")";
    }

    /** What a server says, to be passed on: without the credentials, and not more of it than is of use. */
    static String shown(String text, JsonNode credentials) {
        String clean = of(texts(credentials)).text(text);
        return clean.length() <= SHOWN_MAX ? clean : clean.substring(0, SHOWN_MAX) + "…";
    }
}
