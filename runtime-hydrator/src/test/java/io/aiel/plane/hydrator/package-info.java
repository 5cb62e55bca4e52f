/** Tests of the hydrator, most of them on real zygotes and workers. */
@NullMarked
package io.aiel.plane.hydrator;

import org.jspecify.annotations.NullMarked;
