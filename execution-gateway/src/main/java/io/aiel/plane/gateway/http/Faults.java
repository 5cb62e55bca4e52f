package io.aiel.plane.gateway.http;

import io.aiel.plane.registry.RegistryRefusal;
import io.aiel.plane.vocabulary.ErrorCode;
import org.jboss.logging.Logger;

/** What a caller is told of a failure, by whichever way he came. The cause goes to the log and never to him. */
public final class Faults {
    private static final Logger LOG = Logger.getLogger(Faults.class);

    private Faults() {}

    /** A refusal as it is; anything else is a database that is gone, or a fault of ours, and is logged. */
    public static Refusal refusal(Throwable failure, String requestId) {
        if (failure instanceof Refusal refusal) {
            return refusal;
        }
        if (failure instanceof RegistryRefusal refused) {
            return RegistryProblems.of(refused);
        }
        if (DatabaseGone.isCauseOf(failure)) {
            LOG.warnf("the database cannot be reached requestId=%s: %s", requestId, failure.toString());
            return new Refusal(ErrorCode.NOT_READY, "The database cannot be reached now; try again shortly.")
                    .retryAfter(2);
        }
        LOG.errorf(failure, "request failed requestId=%s", requestId);
        return new Refusal(ErrorCode.INTERNAL, "The plane failed; an operator finds the cause under the X-Request-Id.");
    }
}
