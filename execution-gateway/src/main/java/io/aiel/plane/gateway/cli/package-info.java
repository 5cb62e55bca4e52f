/**
 * The commands behind {@code ./plane}: {@code up} assembles and runs the server; the others talk to a running one over
 * HTTP and do not boot Quarkus.
 *
 * <p>Door: {@link io.aiel.plane.gateway.cli.Main}. Nothing else in the gateway imports this package.
 */
@NullMarked
package io.aiel.plane.gateway.cli;

import org.jspecify.annotations.NullMarked;
