/** HTTP resources and the one mapping from errors to problem documents. */
@NullMarked
package io.aiel.plane.gateway.http;

import org.jspecify.annotations.NullMarked;
