/** Files, snapshots, deployments and the capabilities they export. Depends on the vocabulary. */
@NullMarked
package io.aiel.plane.registry;

import org.jspecify.annotations.NullMarked;
