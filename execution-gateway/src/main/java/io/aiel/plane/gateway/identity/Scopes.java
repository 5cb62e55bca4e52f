package io.aiel.plane.gateway.identity;

import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * What a token was limited to: each scope is an action's name ({@code files.write}), an area ({@code files.*}) or {@code *}.
 * {@code *} is everything within the tenant; it does not include the area {@code platform}, which crosses tenants.
 */
public final class Scopes {
    /** Everything within the tenant. */
    public static final String ALL = "*";

    /** Everything that crosses tenants. */
    public static final String PLATFORM = "platform.*";

    private static final String PLATFORM_AREA = "platform.";
    private static final Pattern FORM = Pattern.compile("\\*|[a-z][a-z_]{0,31}\\.(\\*|[a-z][a-z_]{0,31})");

    private Scopes() {}

    /** Whether the text can be a scope. */
    public static boolean wellFormed(String scope) {
        return FORM.matcher(scope).matches();
    }

    /** Whether the holder of {@code held} may also do everything that {@code wanted} means. */
    public static boolean covers(Collection<String> held, String wanted) {
        for (String scope : held) {
            if (covers(scope, wanted)) {
                return true;
            }
        }
        return false;
    }

    private static boolean covers(String held, String wanted) {
        if (held.equals(wanted)) {
            return true;
        }
        if (held.equals(ALL)) {
            return !wanted.startsWith(PLATFORM_AREA);
        }
        return held.endsWith(".*") && wanted.startsWith(held.substring(0, held.length() - 1));
    }

    static String join(Collection<String> scopes) {
        return String.join(" ", scopes);
    }

    static Set<String> split(String stored) {
        Set<String> scopes = new LinkedHashSet<>();
        if (!stored.isEmpty()) {
            scopes.addAll(Arrays.asList(stored.split(" ", -1)));
        }
        return scopes;
    }
}
