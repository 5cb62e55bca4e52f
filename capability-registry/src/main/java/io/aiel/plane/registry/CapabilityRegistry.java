package io.aiel.plane.registry;

import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.CapabilityRef;
import io.aiel.plane.vocabulary.ProjectScope;
import io.smallrye.mutiny.Uni;
import java.util.List;
import java.util.Optional;

/** What can be invoked, and where names lead to content addresses. Thread-safe; call from an event loop. */
public interface CapabilityRegistry {
    /**
     * Turns names into content addresses. When the target is an environment and the project's tree has changes that were not
     * sealed yet, they are sealed, validated and (when valid) deployed first, so that a call right after a push runs what
     * was pushed.
     *
     * @param ref empty for the actions {@code describe} and {@code execute}
     */
    Uni<Resolution> resolve(ProjectScope scope, Target target, Optional<CapabilityRef> ref);

    /** The capabilities of what the target names, sorted by kind and name; empty list when nothing is deployed. */
    Uni<List<Capability>> capabilities(ProjectScope scope, Target target);
}
