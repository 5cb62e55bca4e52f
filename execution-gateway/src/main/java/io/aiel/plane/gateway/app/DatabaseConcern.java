package io.aiel.plane.gateway.app;

import io.smallrye.mutiny.Uni;
import io.vertx.mutiny.sqlclient.Pool;
import jakarta.inject.Singleton;
import java.util.Optional;

/** Whether the database answers. */
@Singleton
class DatabaseConcern implements ReadinessConcern {
    private final Pool database;

    DatabaseConcern(Pool database) {
        this.database = database;
    }

    @Override
    public String name() {
        return "database";
    }

    @Override
    public Uni<Optional<String>> objection() {
        return database.query("SELECT 1").execute().map(_ -> Optional.empty());
    }
}
