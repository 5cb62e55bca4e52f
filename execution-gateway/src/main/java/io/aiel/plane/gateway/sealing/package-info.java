/** Encryption of what is kept sealed in the database. What a key is, and what is bound to what, is the features' own. */
@NullMarked
package io.aiel.plane.gateway.sealing;

import org.jspecify.annotations.NullMarked;
