/** Tests of who may call what. */
@NullMarked
package io.aiel.plane.gateway.identity;

import org.jspecify.annotations.NullMarked;
