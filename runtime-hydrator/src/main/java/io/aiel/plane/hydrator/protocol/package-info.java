/**
 * The worker protocol as machines without I/O: bytes in, sealed events out. Described in
 * {@code docs/reference/worker-protocol.md}; depends on nothing but the vocabulary and the JSON parser.
 */
@NullMarked
package io.aiel.plane.hydrator.protocol;

import org.jspecify.annotations.NullMarked;
