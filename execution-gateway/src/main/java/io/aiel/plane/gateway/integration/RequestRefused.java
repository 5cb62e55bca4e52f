package io.aiel.plane.gateway.integration;

/** A request that cannot be made of what it was asked with. Stays within this package, which makes an {@link ActionResult} of it. */
final class RequestRefused extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final String code;
    private final int status;

    RequestRefused(String code, int status, String message) {
        super(message, null, false, false);
        this.code = code;
        this.status = status;
    }

    /** What the parameters are not. */
    static RequestRefused params(IllegalArgumentException why) {
        return new RequestRefused("invalid_params", 400, String.valueOf(why.getMessage()));
    }

    /** What the connection does not allow. */
    static RequestRefused notAllowed(String message) {
        return new RequestRefused("not_allowed", 403, message);
    }

    /** What is wrong with the connection: its state is in the way until somebody mends it, so trying again does not help. */
    static RequestRefused connection(String message) {
        return new RequestRefused("connection_invalid", 409, message);
    }

    ActionResult result() {
        return ActionResult.refused(code, String.valueOf(getMessage()), status);
    }
}
