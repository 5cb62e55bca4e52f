package io.aiel.plane.gateway.execution;

/**
 * One thing wrong with an input.
 *
 * @param pointer where, as a JSON pointer (RFC 6901)
 * @param message what, and what would be right
 */
public record InputError(String pointer, String message) {}
