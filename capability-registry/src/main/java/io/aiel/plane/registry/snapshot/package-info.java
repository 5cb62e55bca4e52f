/** Snapshots of a project's files: sealing, validation, deployments and what they export. Depends on the files beside it. */
@NullMarked
package io.aiel.plane.registry.snapshot;

import org.jspecify.annotations.NullMarked;
