package io.aiel.plane.hydrator;

/** Something the hydrator needs cannot be had. The message says what and what to do, and is fit for an operator. */
public final class HydratorFailure extends Exception {
    private static final long serialVersionUID = 1L;

    public HydratorFailure(String message) {
        super(message);
    }

    public HydratorFailure(String message, Throwable cause) {
        super(message, cause);
    }
}
