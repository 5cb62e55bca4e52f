/** Tests of callbacks. */
@NullMarked
package io.aiel.plane.gateway.callback;

import org.jspecify.annotations.NullMarked;
