package io.aiel.plane.gateway.http;

import jakarta.enterprise.inject.Any;
import jakarta.enterprise.inject.spi.BeanManager;
import jakarta.inject.Singleton;
import jakarta.ws.rs.HttpMethod;
import jakarta.ws.rs.Path;
import java.lang.annotation.Annotation;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Which methods a path answers: for the {@code Allow} header that goes with 405 (RFC 9110, section 15.5.6). A path that an action
 * such as {@code /executions/{execution}:cancel} answers is that action's alone, although {@code /executions/{execution}} would take it
 * for an odd id. Thread-safe.
 */
@Singleton
final class AllowedMethods {
    private final BeanManager beans;
    private volatile @Nullable Index served;

    AllowedMethods(BeanManager beans) {
        this.beans = beans;
    }

    private record Served(PathTemplate path, String method) {
        boolean answers(String wanted) {
            return method.equals(wanted) || (method.equals(HttpMethod.GET) && wanted.equals(HttpMethod.HEAD));
        }
    }

    /**
     * All that is served. Each request is looked up here, so it is compared only with what has as many segments as its path.
     *
     * @param bySize those whose paths all have as many segments
     * @param others the others
     */
    private record Index(Map<Integer, List<Served>> bySize, List<Served> others) {
        static Index of(List<Served> all) {
            return new Index(
                    all.stream()
                            .filter(one -> one.path().size().isPresent())
                            .collect(Collectors.groupingBy(
                                    one -> one.path().size().getAsInt())),
                    all.stream().filter(one -> one.path().size().isEmpty()).toList());
        }

        List<Served> at(String path) {
            List<Served> found = new ArrayList<>();
            for (Served one : bySize.getOrDefault(PathTemplate.sizeOf(path), List.of())) {
                if (one.path().matches(path)) {
                    found.add(one);
                }
            }
            for (Served one : others) {
                if (one.path().matches(path)) {
                    found.add(one);
                }
            }
            return found;
        }
    }

    /** Whether something is served at the path, but not by this method. */
    boolean refuses(String path, String method) {
        List<Served> there = at(path);
        return !there.isEmpty() && there.stream().noneMatch(one -> one.answers(method));
    }

    /** The methods, sorted, as the header lists them; empty text when nothing is served there. */
    String of(String path) {
        Set<String> methods = new TreeSet<>();
        for (Served one : at(path)) {
            methods.add(one.method());
            if (one.method().equals(HttpMethod.GET)) {
                methods.add(HttpMethod.HEAD);
            }
        }
        return String.join(", ", methods);
    }

    private List<Served> at(String path) {
        List<Served> there = all().at(path);
        List<Served> actions =
                there.stream().filter(one -> one.path().isAction()).toList();
        return actions.isEmpty() ? there : actions;
    }

    private Index all() {
        @Nullable Index known = served;
        if (known == null) {
            known = Index.of(beans.getBeans(Object.class, Any.Literal.INSTANCE).stream()
                    .map(bean -> bean.getBeanClass())
                    .distinct()
                    .filter(resource -> resource.isAnnotationPresent(Path.class))
                    .flatMap(resource -> servedBy(resource).stream())
                    .toList());
            served = known;
        }
        return known;
    }

    private static List<Served> servedBy(Class<?> resource) {
        List<Served> found = new ArrayList<>();
        for (Method method : resource.getDeclaredMethods()) {
            httpMethod(method)
                    .ifPresent(name -> found.add(new Served(
                            new PathTemplate(
                                    template(resource.getAnnotation(Path.class), method.getAnnotation(Path.class))),
                            name)));
        }
        return found;
    }

    private static Optional<String> httpMethod(Method method) {
        for (Annotation annotation : method.getAnnotations()) {
            @Nullable HttpMethod http = annotation.annotationType().getAnnotation(HttpMethod.class);
            if (http != null) {
                return Optional.of(http.value());
            }
        }
        return Optional.empty();
    }

    private static String template(Path resource, @Nullable Path method) {
        String whole = resource.value() + "/" + (method == null ? "" : method.value());
        return ("/" + whole).replaceAll("/{2,}", "/").replaceAll("/$", "");
    }
}
