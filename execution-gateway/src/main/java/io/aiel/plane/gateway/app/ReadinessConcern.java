package io.aiel.plane.gateway.app;

import io.smallrye.mutiny.Uni;
import java.util.Optional;

/**
 * One thing that an execution needs. Every bean of this type is asked when readiness is; the server is ready when none has an
 * objection. Must answer within a second or two; a failure or silence counts as an objection.
 */
public interface ReadinessConcern {
    /** What it is about, such as {@code database}. */
    String name();

    /** Why an execution would not work now, for an operator; empty when it would. Holds no secret. */
    Uni<Optional<String>> objection();
}
