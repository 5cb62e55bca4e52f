package io.aiel.plane.gateway.http;

import java.util.List;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A path as {@code @Path} writes it, with parameters in braces; a slash at the end makes no difference. Every request is compared
 * with many of them, so a regular expression only looks at a path whose first segments fit, and at none where all parameters are whole
 * segments. Immutable.
 */
final class PathTemplate {
    private static final Pattern PARAMETER = Pattern.compile("\\{\\s*\\w+\\s*(?::\\s*([^}]+?)\\s*)?\\}");
    private static final Pattern WHOLE_SEGMENT = Pattern.compile("\\{\\s*\\w+\\s*\\}");

    /** The segments in order, empty text for a parameter, up to the first that needs a regular expression. */
    private final List<String> segments;

    /** Whether those are all. */
    private final boolean plain;

    private final Pattern form;
    private final boolean action;

    PathTemplate(String template) {
        List<String> all = List.of((template.startsWith("/") ? template.substring(1) : template).split("/", -1));
        this.segments = all.stream()
                .takeWhile(PathTemplate::isPlain)
                .map(segment -> segment.startsWith("{") ? "" : segment)
                .toList();
        this.plain = segments.size() == all.size();
        this.form = form(template);
        this.action = template.lastIndexOf("}:") > template.lastIndexOf('/');
    }

    /** Whether it ends in a parameter and what is to be done with that, as {@code /executions/{execution}:cancel} does. */
    boolean isAction() {
        return action;
    }

    /** How many segments its paths have; empty when not all have as many. */
    OptionalInt size() {
        return plain ? OptionalInt.of(segments.size()) : OptionalInt.empty();
    }

    /** How many segments a path has. */
    static int sizeOf(String path) {
        int slashes = 0;
        for (int at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
            slashes++;
        }
        return path.endsWith("/") ? slashes - 1 : slashes;
    }

    /** Whether this is the path's template. */
    boolean matches(String path) {
        int at = 0;
        for (String segment : segments) {
            if (at >= path.length() || path.charAt(at) != '/') {
                return false;
            }
            int slash = path.indexOf('/', at + 1);
            int end = slash < 0 ? path.length() : slash;
            boolean fits = segment.isEmpty()
                    ? end > at + 1
                    : end - at - 1 == segment.length() && path.startsWith(segment, at + 1);
            if (!fits) {
                return false;
            }
            at = end;
        }
        if (!plain) {
            // Most paths have no colon, and a regular expression takes longer to find that out.
            return (!action || path.indexOf(':') >= 0) && form.matcher(path).matches();
        }
        return at == path.length() || (at == path.length() - 1 && path.charAt(at) == '/');
    }

    private static boolean isPlain(String segment) {
        return WHOLE_SEGMENT.matcher(segment).matches()
                || (!segment.isEmpty() && segment.indexOf('{') < 0 && segment.indexOf('}') < 0);
    }

    private static Pattern form(String template) {
        StringBuilder pattern = new StringBuilder();
        Matcher parameter = PARAMETER.matcher(template);
        int from = 0;
        while (parameter.find()) {
            pattern.append(Pattern.quote(template.substring(from, parameter.start())));
            @Nullable String form = parameter.group(1);
            pattern.append(form == null ? "[^/]+?" : "(?:" + form + ")");
            from = parameter.end();
        }
        return Pattern.compile(pattern.append(Pattern.quote(template.substring(from))) + "/?");
    }
}
