package io.aiel.plane.gateway.grpc;

import io.smallrye.mutiny.Uni;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.Function;

/**
 * One method: who may call it, about which project, and what answers. There is no way to serve one without saying so.
 *
 * @param action what the policy is asked before it is answered; empty where the answer itself is decided on, as every
 *     execution is
 * @param workspace of a request
 * @param project of a request
 * @param resource the id of what a request is about; empty text for the project itself
 * @param answer called on an event loop; waits for nothing
 */
record Method<Q, A>(
        Optional<String> action,
        Function<Q, String> workspace,
        Function<Q, String> project,
        Function<Q, String> resource,
        BiFunction<Call, Q, Uni<A>> answer) {}
