package io.aiel.plane.gateway.callback;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** The hosts that an operator allows callbacks to: exact names at exact ports, no patterns. Immutable. */
final class CallbackHosts {
    private final Set<String> allowed;

    private CallbackHosts(Set<String> allowed) {
        this.allowed = Set.copyOf(allowed);
    }

    /**
     * Reads entries such as {@code hooks.example.com}, {@code hooks.example.com:8443} or, for one that is called without TLS, {@code
     * http://ci.internal:8080}. Throws {@link IllegalArgumentException} that names all that are none.
     */
    static CallbackHosts of(List<String> entries) {
        Set<String> allowed = new LinkedHashSet<>();
        List<String> wrong = new ArrayList<>();
        for (String entry : entries) {
            try {
                CallbackUrl url = CallbackUrl.parse(entry.contains("://") ? entry : "https://" + entry);
                if (!url.target().equals("/")) {
                    throw new IllegalArgumentException("has more than a host and a port");
                }
                allowed.add(url.origin());
            } catch (IllegalArgumentException e) {
                wrong.add(entry + " (" + e.getMessage() + ")");
            }
        }
        if (!wrong.isEmpty()) {
            throw new IllegalArgumentException("plane.callbacks.hosts: " + String.join("; ", wrong));
        }
        return new CallbackHosts(allowed);
    }

    /**
     * What is wrong with calling back there; empty when it is allowed.
     *
     * @param narrowed the only names that the project allows of them; empty when it says nothing
     */
    Optional<String> refusal(CallbackUrl url, Optional<Set<String>> narrowed) {
        if (allowed.isEmpty()) {
            return Optional.of("no callbacks are sent by this server: its operator has allowed no host");
        }
        if (!allowed.contains(url.origin())) {
            return Optional.of(
                    url.https()
                            ? "is not a host that the operator of this server has allowed for callbacks"
                            : "must be https, except for hosts that the operator of this server has allowed without");
        }
        if (narrowed.isPresent() && !narrowed.get().contains(url.host().name())) {
            return Optional.of("is not among the hosts that the settings of the project allow for callbacks");
        }
        return Optional.empty();
    }
}
