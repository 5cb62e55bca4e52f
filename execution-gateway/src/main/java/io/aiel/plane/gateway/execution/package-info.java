/** The one sequence: authenticate, resolve, decide, admit, run, close. */
@NullMarked
package io.aiel.plane.gateway.execution;

import org.jspecify.annotations.NullMarked;
