package io.aiel.plane.registry.input;

/**
 * One way in which an input does not fit its schema.
 *
 * @param pointer where in the input, as a JSON pointer (RFC 6901); empty text for the whole
 * @param message what is wrong
 */
public record InputProblem(String pointer, String message) {}
