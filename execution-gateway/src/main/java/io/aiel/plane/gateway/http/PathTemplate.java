package io.aiel.plane.gateway.http;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A path as {@code @Path} writes it, with parameters in braces; a slash at the end makes no difference. Every request is compared
 * with many of them, so one whose parameters are whole segments is compared without a regular expression. Immutable.
 */
final class PathTemplate {
    private static final Pattern PARAMETER = Pattern.compile("\\{\\s*\\w+\\s*(?::\\s*([^}]+?)\\s*)?\\}");
    private static final Pattern WHOLE_SEGMENT = Pattern.compile("\\{\\s*\\w+\\s*\\}");

    /** The segments in order, empty text for a parameter; null when the template needs a regular expression. */
    private final @Nullable List<String> segments;

    private final Pattern form;
    private final boolean action;

    PathTemplate(String template) {
        this.segments = segments(template);
        this.form = form(template);
        this.action = template.lastIndexOf("}:") > template.lastIndexOf('/');
    }

    /** Whether it ends in a parameter and what is to be done with that, as {@code /executions/{execution}:cancel} does. */
    boolean isAction() {
        return action;
    }

    /** Whether this is the path's template. */
    boolean matches(String path) {
        @Nullable List<String> wanted = segments;
        if (wanted == null) {
            // Most paths have no colon, and a regular expression takes longer to find that out.
            return (!action || path.indexOf(':') >= 0) && form.matcher(path).matches();
        }
        int at = 0;
        for (String segment : wanted) {
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
        return at == path.length() || (at == path.length() - 1 && path.charAt(at) == '/');
    }

    private static @Nullable List<String> segments(String template) {
        if (!template.startsWith("/")) {
            return null;
        }
        List<String> segments = new ArrayList<>();
        for (String segment : template.substring(1).split("/", -1)) {
            if (WHOLE_SEGMENT.matcher(segment).matches()) {
                segments.add("");
            } else if (segment.isEmpty() || segment.indexOf('{') >= 0 || segment.indexOf('}') >= 0) {
                return null;
            } else {
                segments.add(segment);
            }
        }
        return List.copyOf(segments);
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
