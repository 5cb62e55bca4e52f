/** Tests of what gRPC's messages are made of. */
@NullMarked
package io.aiel.plane.gateway.grpc;

import org.jspecify.annotations.NullMarked;
