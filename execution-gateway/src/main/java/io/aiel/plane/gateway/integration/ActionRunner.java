package io.aiel.plane.gateway.integration;

import io.smallrye.mutiny.Uni;

/** Speaks to the outside systems of some providers. Thread-safe; does not block; each call ends by its timeout. */
interface ActionRunner {
    /** Whether it speaks to this provider. */
    boolean serves(String provider);

    /** Makes the call. An expected refusal is a value; a failure is a mistake of ours. */
    Uni<ActionResult> run(ActionRequest request);
}
