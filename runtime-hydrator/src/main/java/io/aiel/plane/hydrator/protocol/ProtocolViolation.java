package io.aiel.plane.hydrator.protocol;

/** The peer sent something that the protocol does not allow; the connection is of no more use. */
public final class ProtocolViolation extends Exception {
    private static final long serialVersionUID = 1L;

    public ProtocolViolation(String message) {
        super(message);
    }
}
