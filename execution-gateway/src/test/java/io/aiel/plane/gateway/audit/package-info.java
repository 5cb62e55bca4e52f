/** What the audit pipeline promises, tried on real servers. */
@NullMarked
package io.aiel.plane.gateway.audit;

import org.jspecify.annotations.NullMarked;
