/** A project's files: paths, uploads, blobs, versions. Depends on the vocabulary and on the registry's shared parts. */
@NullMarked
package io.aiel.plane.registry.files;

import org.jspecify.annotations.NullMarked;
