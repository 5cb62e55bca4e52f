package io.aiel.plane.gateway.app;

import io.aiel.plane.registry.snapshot.SnapshotValidator;
import io.quarkus.arc.DefaultBean;
import io.smallrye.mutiny.Uni;
import jakarta.inject.Singleton;

/** Stands in where nothing can load code: trees stay unsealed, so nothing that was not validated is ever deployed. */
@Singleton
@DefaultBean
class NoValidator implements SnapshotValidator {
    @Override
    public String bundle() {
        return "none";
    }

    @Override
    public Uni<Validation> validate(Candidate candidate) {
        return Uni.createFrom()
                .item(new Validation.Unavailable("This server has no worker that could validate the snapshot."));
    }
}
