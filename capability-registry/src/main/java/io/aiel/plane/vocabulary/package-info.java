/**
 * The nouns that cross a module border: identifiers, principals, capabilities, decisions, outcomes, error codes.
 *
 * <p>Plain Java values without behaviour beyond checking themselves. May depend on the JDK and JSpecify alone (and, for
 * time-ordered identifiers, on one small UUID library inside {@code Ids}).
 */
@NullMarked
package io.aiel.plane.vocabulary;

import org.jspecify.annotations.NullMarked;
