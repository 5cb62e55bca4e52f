/** Tests of schedules. */
@NullMarked
package io.aiel.plane.gateway.schedule;

import org.jspecify.annotations.NullMarked;
