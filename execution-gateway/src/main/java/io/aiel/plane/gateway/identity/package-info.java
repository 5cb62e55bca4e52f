/**
 * Who calls and what exists for them: tenants, workspaces, projects, principals, roles and tokens; the filter that
 * authenticates every call and asks the policy about it; and the control-plane resources. May depend on the vocabulary,
 * {@code gateway.http}, the policy and audit doors and the database clients.
 */
@NullMarked
package io.aiel.plane.gateway.identity;

import org.jspecify.annotations.NullMarked;
