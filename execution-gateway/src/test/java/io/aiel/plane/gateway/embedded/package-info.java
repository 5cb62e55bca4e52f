/** What the embedded servers promise, tried with the real ones. */
@NullMarked
package io.aiel.plane.gateway.embedded;

import org.jspecify.annotations.NullMarked;
