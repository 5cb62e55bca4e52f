/** Decides by OPA policy, in this process. Door: {@link io.aiel.plane.policy.PolicyEngine}. */
@NullMarked
package io.aiel.plane.policy;

import org.jspecify.annotations.NullMarked;
