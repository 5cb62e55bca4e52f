package io.aiel.plane.gateway.http;

import io.aiel.plane.registry.RegistryRefusal;
import io.aiel.plane.vocabulary.ErrorCode;
import jakarta.ws.rs.core.Response;
import org.jboss.resteasy.reactive.server.ServerExceptionMapper;

/** Turns what the registry refuses into a problem document. */
public class RegistryProblems {
    @ServerExceptionMapper
    public Response refused(RegistryRefusal refused) {
        return Problems.response(of(refused));
    }

    static Refusal of(RegistryRefusal refused) {
        Refusal refusal = new Refusal(refused.code(), refused.detail(), refused.details());
        boolean later = refused.code() == ErrorCode.NOT_READY || refused.code() == ErrorCode.RATE_LIMITED;
        return later ? refusal.retryAfter(2) : refusal;
    }
}
