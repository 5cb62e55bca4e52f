/** Tests of the gate, in virtual time. */
@NullMarked
package io.aiel.plane.gateway.overload;

import org.jspecify.annotations.NullMarked;
