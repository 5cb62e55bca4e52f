package io.aiel.plane.gateway.grpc;

import io.aiel.plane.gateway.http.ConnectionWatching;
import io.netty.channel.Channel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** The socket that gRPC is served on. Above a number of connections it closes new ones at once, as HTTP's does. */
final class GrpcListener extends NioServerSocketChannel implements ConnectionWatching.OtherProtocol {
    private final int connectionsMax;
    private final AtomicInteger open = new AtomicInteger();

    GrpcListener(int connectionsMax) {
        this.connectionsMax = connectionsMax;
    }

    @Override
    protected int doReadMessages(List<Object> accepted) throws Exception {
        int read = super.doReadMessages(accepted);
        if (read > 0 && accepted.getLast() instanceof Channel connection) {
            if (open.incrementAndGet() > connectionsMax) {
                open.decrementAndGet();
                accepted.removeLast();
                connection.unsafe().closeForcibly();
            } else {
                var _ = connection.closeFuture().addListener(_ -> open.decrementAndGet());
            }
        }
        return read;
    }
}
