/**
 * The way out of a worker: its connections arrive over one Unix socket, and go on to hosts that the policy named, and to no others. The
 * door is {@link io.aiel.plane.hydrator.egress.EgressProxy}. Depends on the vocabulary and the hydrator's events.
 */
@NullMarked
package io.aiel.plane.hydrator.egress;

import org.jspecify.annotations.NullMarked;
