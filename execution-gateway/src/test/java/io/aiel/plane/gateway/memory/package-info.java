/** Tests of memory, most on a real PostgreSQL. */
@NullMarked
package io.aiel.plane.gateway.memory;

import org.jspecify.annotations.NullMarked;
