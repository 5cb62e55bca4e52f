package io.aiel.plane.gateway.http;

import io.vertx.ext.web.RoutingContext;
import jakarta.inject.Inject;
import jakarta.ws.rs.ext.Provider;
import jakarta.ws.rs.ext.ReaderInterceptor;
import jakarta.ws.rs.ext.ReaderInterceptorContext;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import org.jspecify.annotations.Nullable;

/** Counts the bytes of a body while it is read, so that one of unannounced length cannot be larger than an announced one. */
@Provider
public class BodyCounter implements ReaderInterceptor {
    @Inject
    RoutingContext routing;

    @Override
    public Object aroundReadFrom(ReaderInterceptorContext context) throws IOException {
        Bodies.@Nullable Held held = Bodies.held(routing);
        if (held != null) {
            context.setInputStream(new Counting(context.getInputStream(), held));
        }
        return context.proceed();
    }

    private static final class Counting extends FilterInputStream {
        private final Bodies.Held held;
        private long count;

        Counting(InputStream body, Bodies.Held held) {
            super(body);
            this.held = held;
        }

        @Override
        public int read() throws IOException {
            int read = super.read();
            if (read >= 0) {
                held.count(++count);
            }
            return read;
        }

        @Override
        public int read(byte[] into, int offset, int length) throws IOException {
            int read = super.read(into, offset, length);
            if (read > 0) {
                count += read;
                held.count(count);
            }
            return read;
        }
    }
}
