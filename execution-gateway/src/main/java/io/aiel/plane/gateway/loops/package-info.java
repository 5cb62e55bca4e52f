/** Where work goes on: the server's event loops. Its door is {@link io.aiel.plane.gateway.loops.EventLoops}. Knows Vert.x alone. */
@NullMarked
package io.aiel.plane.gateway.loops;

import org.jspecify.annotations.NullMarked;
