/**
 * HTTP to systems outside, whose addresses are checked. The door is {@link io.aiel.plane.gateway.outbound.PinnedHttp}. What is sent, and what an answer means,
 * is the features' own.
 */
@NullMarked
package io.aiel.plane.gateway.outbound;

import org.jspecify.annotations.NullMarked;
