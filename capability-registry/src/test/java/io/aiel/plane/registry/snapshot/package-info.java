/** Tests of snapshots that need neither a database nor a sandbox. */
@NullMarked
package io.aiel.plane.registry.snapshot;

import org.jspecify.annotations.NullMarked;
