package io.aiel.plane.gateway.callback;

import io.aiel.plane.vocabulary.ProjectScope;
import io.smallrye.mutiny.Uni;
import java.util.Optional;

/** Says whether a project may be called back there. Thread-safe. */
@FunctionalInterface
public interface CallbackCheck {
    /** What is wrong with it, for the caller; empty when it may. Fails when that cannot be looked up. */
    Uni<Optional<String>> refusal(ProjectScope scope, CallbackUrl url);
}
