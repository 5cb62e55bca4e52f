package io.aiel.plane.gateway.http;

import io.vertx.core.Context;
import io.vertx.core.Vertx;
import io.vertx.ext.web.RoutingContext;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.MultivaluedMap;
import jakarta.ws.rs.ext.Provider;
import java.io.OutputStream;
import java.lang.annotation.Annotation;
import java.lang.reflect.Type;
import java.util.Objects;
import org.jboss.resteasy.reactive.server.core.ResteasyReactiveRequestContext;
import org.jboss.resteasy.reactive.server.spi.ResteasyReactiveResourceInfo;
import org.jboss.resteasy.reactive.server.spi.ServerMessageBodyWriter;
import org.jboss.resteasy.reactive.server.spi.ServerRequestContext;

/** Writes answers of server-sent events, each for as long as it takes, without a thread. Thread-safe; works on each request's event loop. */
@Provider
public final class EventStreamWriter implements ServerMessageBodyWriter<EventStream> {
    @Override
    public boolean isWriteable(Class<?> type, Type genericType, ResteasyReactiveResourceInfo target, MediaType media) {
        return type == EventStream.class;
    }

    @Override
    public boolean isWriteable(Class<?> type, Type genericType, Annotation[] annotations, MediaType media) {
        return type == EventStream.class;
    }

    @Override
    public void writeResponse(EventStream events, Type genericType, ServerRequestContext context) {
        ResteasyReactiveRequestContext request = (ResteasyReactiveRequestContext) context;
        RoutingContext routing = Objects.requireNonNull(request.unwrap(RoutingContext.class));
        Context loop = Objects.requireNonNull(Vertx.currentContext(), "an answer is written on its event loop");
        request.suspend();
        new RunningEventStream(events, routing, loop, request::resume).begin();
    }

    @Override
    public void writeTo(
            EventStream events,
            Class<?> type,
            Type genericType,
            Annotation[] annotations,
            MediaType media,
            MultivaluedMap<String, Object> headers,
            OutputStream out) {
        throw new IllegalStateException("a stream of events needs an event loop");
    }
}
