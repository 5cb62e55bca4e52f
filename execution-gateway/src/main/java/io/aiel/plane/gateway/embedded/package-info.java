/**
 * The real PostgreSQL and the real Kafka, run as children of the server for a machine where neither is installed.
 *
 * <p>Doors: {@link io.aiel.plane.gateway.embedded.EmbeddedPostgres} and {@link
 * io.aiel.plane.gateway.embedded.EmbeddedKafka}. May depend on the JDK, the PostgreSQL driver, the Kafka client and the
 * two archive libraries; not on Quarkus, since they start before it.
 */
@NullMarked
package io.aiel.plane.gateway.embedded;

import org.jspecify.annotations.NullMarked;
