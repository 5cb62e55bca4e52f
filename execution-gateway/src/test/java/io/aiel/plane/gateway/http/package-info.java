/** Tests of what every resource stands on. */
@NullMarked
package io.aiel.plane.gateway.http;

import org.jspecify.annotations.NullMarked;
