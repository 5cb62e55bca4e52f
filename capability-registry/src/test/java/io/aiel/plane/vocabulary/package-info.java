/** Tests of the vocabulary. */
@NullMarked
package io.aiel.plane.vocabulary;

import org.jspecify.annotations.NullMarked;
