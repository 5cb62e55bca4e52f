/**
 * The gRPC interface {@code aiel.plane.v1}, on a port of its own. Turns its messages into runner requests and answers into
 * its messages; whether something may run, and the record of it, is {@link io.aiel.plane.gateway.execution}'s alone, and who
 * calls {@link io.aiel.plane.gateway.identity.ProjectDoor}'s. The door is {@link io.aiel.plane.gateway.grpc.GrpcServer}.
 */
@NullMarked
package io.aiel.plane.gateway.grpc;

import org.jspecify.annotations.NullMarked;
