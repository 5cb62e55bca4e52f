package io.aiel.plane.hydrator.egress;

import io.aiel.plane.hydrator.EgressEvent;

/** A connection is not allowed. The text is for the worker and the record. */
final class Refusal extends Exception {
    private static final long serialVersionUID = 1L;
    private final EgressEvent.Reason reason;

    Refusal(EgressEvent.Reason reason, String detail) {
        super(detail, null, false, false);
        this.reason = reason;
    }

    EgressEvent.Reason reason() {
        return reason;
    }

    String detail() {
        return String.valueOf(getMessage());
    }
}
