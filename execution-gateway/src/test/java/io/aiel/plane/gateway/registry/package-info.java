/** Files, snapshots and deployments over HTTP, on the real PostgreSQL. */
@NullMarked
package io.aiel.plane.gateway.registry;

import org.jspecify.annotations.NullMarked;
