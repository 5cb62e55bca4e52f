/** Assembly: producers, start-up, readiness. */
@NullMarked
package io.aiel.plane.gateway.app;

import org.jspecify.annotations.NullMarked;
