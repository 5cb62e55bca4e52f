package io.aiel.plane.gateway.mcp;

import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.registry.CapabilityRegistry;
import io.aiel.plane.registry.Resolution;
import io.aiel.plane.registry.Target;
import io.aiel.plane.registry.snapshot.Deployments;
import io.aiel.plane.vocabulary.Capability;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.ResolvedCapability;
import io.smallrye.mutiny.Uni;
import java.util.List;
import java.util.Optional;

/** Finds what is offered at an endpoint now: what an invocation would run, so what was pushed last. Thread-safe. */
final class Offers {
    private final CapabilityRegistry registry;

    Offers(CapabilityRegistry registry) {
        this.registry = registry;
    }

    /** Fails with {@link Refusal#notFound()} for a server that is not there. */
    Uni<Offer> at(Endpoint endpoint) {
        ProjectScope scope = endpoint.caller().scope();
        return registry.resolve(scope, new Target.Environment(Deployments.PUBLISHED_TO), Optional.empty())
                .chain(resolution -> switch (resolution) {
                    case Resolution.Found(var snapshot) ->
                        registry.capabilities(
                                        scope,
                                        new Target.Snapshot(snapshot.snapshot().digest()))
                                .map(all -> offer(endpoint, snapshot, all));
                    case Resolution.NothingDeployed _, Resolution.UnknownSnapshot _, Resolution.UnknownCapability _ ->
                        Uni.createFrom().<Offer>item(() -> nothing(endpoint));
                    case Resolution.ValidationUnavailable(var detail) ->
                        Uni.createFrom().<Offer>failure(() -> new Refusal(ErrorCode.NOT_READY, detail).retryAfter(1));
                });
    }

    private static Offer offer(Endpoint endpoint, ResolvedCapability snapshot, List<Capability> all) {
        if (endpoint.server().isEmpty()) {
            return Offer.ofProject(snapshot, all);
        }
        Offer offer = Offer.ofServer(snapshot, all, endpoint.server().get());
        if (offer.tools().isEmpty()) {
            throw Refusal.notFound();
        }
        return offer;
    }

    private static Offer nothing(Endpoint endpoint) {
        if (endpoint.server().isPresent()) {
            throw Refusal.notFound();
        }
        return Offer.nothing();
    }
}
