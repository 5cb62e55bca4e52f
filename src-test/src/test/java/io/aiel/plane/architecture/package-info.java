/** The rules that the compiler cannot hold: module and package arrows, who may build what, and what a class may print. */
@NullMarked
package io.aiel.plane.architecture;

import org.jspecify.annotations.NullMarked;
