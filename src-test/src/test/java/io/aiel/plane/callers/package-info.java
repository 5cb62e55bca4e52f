/** Bad input and hostile callers, over HTTP against the packaged application. The suite {@code callers}. */
@NullMarked
package io.aiel.plane.callers;

import org.jspecify.annotations.NullMarked;
