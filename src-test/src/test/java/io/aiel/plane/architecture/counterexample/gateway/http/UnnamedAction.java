package io.aiel.plane.architecture.counterexample.gateway.http;

import io.aiel.plane.architecture.counterexample.gateway.app.Assembly;
import jakarta.ws.rs.GET;

/** Breaks "each resource method names its action", "… is served" and "the assembly is imported by nothing else". */
public final class UnnamedAction {
    @GET
    public String get() {
        return Assembly.class.getName();
    }

    @GET
    String hidden() {
        return get();
    }
}
