/** Tests of the check of inputs. */
@NullMarked
package io.aiel.plane.registry.input;

import org.jspecify.annotations.NullMarked;
