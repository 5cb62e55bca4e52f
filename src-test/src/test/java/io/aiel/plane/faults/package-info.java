/** What the plane does when its servers, its workers or it itself are killed, frozen, or run out of room. */
@NullMarked
package io.aiel.plane.faults;

import org.jspecify.annotations.NullMarked;
