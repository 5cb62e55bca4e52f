/** Shared parts of the gateway's tests. */
@NullMarked
package io.aiel.plane.gateway;

import org.jspecify.annotations.NullMarked;
