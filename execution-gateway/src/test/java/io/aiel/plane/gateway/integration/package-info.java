/** Tests of integrations. */
@NullMarked
package io.aiel.plane.gateway.integration;

import org.jspecify.annotations.NullMarked;
