/** Tables of what the protocol machines make of bytes. */
@NullMarked
package io.aiel.plane.hydrator.protocol;

import org.jspecify.annotations.NullMarked;
