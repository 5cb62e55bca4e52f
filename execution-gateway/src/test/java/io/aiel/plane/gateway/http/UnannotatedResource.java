package io.aiel.plane.gateway.http;

import jakarta.ws.rs.GET;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;

/** What a careless author might write; in tests only. */
@Path("/v1/careless")
@Produces(MediaType.APPLICATION_JSON)
public class UnannotatedResource {
    /** Names no action. */
    @GET
    public String open() {
        return "{}";
    }

    /** Fails as no answer should show. */
    @POST
    @PlaneAction(value = "auth.me", deferred = true)
    public String fail() {
        throw new IllegalStateException("the cause, which is secret");
    }
}
