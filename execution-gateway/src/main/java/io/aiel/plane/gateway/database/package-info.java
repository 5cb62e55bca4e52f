/** What the stores of several features share in asking PostgreSQL. Its door is {@link io.aiel.plane.gateway.database.LimitedPool}. */
@NullMarked
package io.aiel.plane.gateway.database;

import org.jspecify.annotations.NullMarked;
