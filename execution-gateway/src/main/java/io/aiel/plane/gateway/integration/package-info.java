/**
 * Governed integrations: connections of projects to outside systems, their sealed credentials, and the actions that callers and executions
 * may have done with them. The code that asks never sees a credential. The doors are the resources of this package.
 */
@NullMarked
package io.aiel.plane.gateway.integration;

import org.jspecify.annotations.NullMarked;
