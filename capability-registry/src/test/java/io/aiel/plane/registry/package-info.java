/** Tests of what the registry's parts have in common. */
@NullMarked
package io.aiel.plane.registry;

import org.jspecify.annotations.NullMarked;
