package io.aiel.plane.gateway.integration;

import io.vertx.pgclient.PgConnection;

/** An open connection to PostgreSQL. */
record PostgresLink(PgConnection connection, PostgresSockets sockets) implements StoreSessions.Link {
    @Override
    public void onEnd(Runnable ended) {
        connection.closeHandler(_ -> ended.run());
    }

    @Override
    public void close() {
        sockets.end(connection);
    }
}
