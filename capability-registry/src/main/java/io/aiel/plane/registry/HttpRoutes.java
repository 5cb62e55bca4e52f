package io.aiel.plane.registry;

import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.CapabilityKind;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which HTTP handler of a snapshot a method and a path lead to. A handler whose path is exactly the request's comes first, as in the
 * published runtime; then those with parameters ({@code /users/{id}}), where a text in an earlier segment comes before a parameter.
 * The path is compared as the text that it is: it has been decoded, and nothing in it is resolved or folded. Immutable.
 */
public final class HttpRoutes {
    private static final Pattern PARAMETER = Pattern.compile("\\{([A-Za-z_][A-Za-z0-9_]*)\\}");

    private final List<Route> routes;

    private HttpRoutes(List<Route> routes) {
        this.routes = routes;
    }

    private record Route(String method, List<String> segments, Capability capability) {
        /** Sorts a text before a parameter, from the left. */
        String rank() {
            StringBuilder rank = new StringBuilder();
            segments.forEach(segment -> rank.append(PARAMETER.matcher(segment).matches() ? '1' : '0'));
            return rank.toString();
        }
    }

    /** The routes among these capabilities. */
    public static HttpRoutes of(Collection<Capability> capabilities) {
        return new HttpRoutes(capabilities.stream()
                .filter(capability -> capability.ref().kind() == CapabilityKind.HTTP
                        && capability.method().isPresent()
                        && capability.path().isPresent())
                .map(capability -> new Route(
                        capability.method().get().toUpperCase(Locale.ROOT),
                        segments(capability.path().get()),
                        capability))
                .sorted(Comparator.comparing(Route::rank)
                        .thenComparing(route -> route.capability().ref().name()))
                .toList());
    }

    /** The handler of this method and path. */
    public Optional<Capability> find(String method, String path) {
        Optional<Capability> exact = routes.stream()
                .filter(route -> route.method().equals(method)
                        && route.capability().path().filter(path::equals).isPresent())
                .map(Route::capability)
                .findFirst();
        List<String> segments = segments(path);
        return exact.or(() -> routes.stream()
                .filter(route -> route.method().equals(method) && match(route.segments(), segments))
                .map(Route::capability)
                .findFirst());
    }

    /** The methods that this path has handlers for, sorted. */
    public Set<String> methods(String path) {
        List<String> segments = segments(path);
        Set<String> methods = new TreeSet<>();
        for (Route route : routes) {
            if (match(route.segments(), segments)
                    || route.capability().path().filter(path::equals).isPresent()) {
                methods.add(route.method());
            }
        }
        return methods;
    }

    /**
     * What stands in the place of each parameter of a handler's path, in their order; empty when it has none or the path is not one of
     * its own.
     */
    public static Map<String, String> parameters(String route, String path) {
        List<String> wanted = segments(route);
        List<String> given = segments(path);
        Map<String, String> parameters = new LinkedHashMap<>();
        if (match(wanted, given)) {
            for (int i = 0; i < wanted.size(); i++) {
                Matcher parameter = PARAMETER.matcher(wanted.get(i));
                if (parameter.matches()) {
                    parameters.put(parameter.group(1), given.get(i));
                }
            }
        }
        return parameters;
    }

    /** The names of the parameters of a handler's path, in their order. */
    public static List<String> parameterNames(String route) {
        return segments(route).stream()
                .map(PARAMETER::matcher)
                .filter(Matcher::matches)
                .map(parameter -> parameter.group(1))
                .toList();
    }

    private static List<String> segments(String path) {
        return List.of(path.split("/", -1));
    }

    private static boolean match(List<String> wanted, List<String> given) {
        if (wanted.size() != given.size()) {
            return false;
        }
        for (int i = 0; i < wanted.size(); i++) {
            boolean fits = PARAMETER.matcher(wanted.get(i)).matches()
                    ? !given.get(i).isEmpty()
                    : wanted.get(i).equals(given.get(i));
            if (!fits) {
                return false;
            }
        }
        return true;
    }
}
