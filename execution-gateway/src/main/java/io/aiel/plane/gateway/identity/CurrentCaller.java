package io.aiel.plane.gateway.identity;

import jakarta.enterprise.context.RequestScoped;
import org.jspecify.annotations.Nullable;

/** The caller of this request with all its grants, for the calls that are about grants. Set by the filter. */
@RequestScoped
class CurrentCaller {
    private @Nullable Caller caller;

    void set(Caller who) {
        caller = who;
    }

    Caller get() {
        if (caller == null) {
            throw new IllegalStateException("this request has no authenticated caller");
        }
        return caller;
    }
}
