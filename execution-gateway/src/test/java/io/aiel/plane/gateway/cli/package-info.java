/** What the commands behind {@code ./plane} promise. */
@NullMarked
package io.aiel.plane.gateway.cli;

import org.jspecify.annotations.NullMarked;
