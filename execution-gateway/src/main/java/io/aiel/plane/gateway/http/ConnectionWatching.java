package io.aiel.plane.gateway.http;

import io.netty.bootstrap.ChannelInitializerExtension;
import io.netty.channel.Channel;

/**
 * Gives each accepted connection its {@link ConnectionWatch}. Netty finds it as a service, when {@link #ENABLED_BY} says so
 * before the first server is made.
 */
public final class ConnectionWatching extends ChannelInitializerExtension {
    /** The system property that makes Netty look for such services, and the value that it needs. */
    public static final String ENABLED_BY = "io.netty.bootstrap.extensions";

    /** See {@link #ENABLED_BY}. */
    public static final String ENABLED = "serviceload";

    /** A listening channel whose connections speak something else and have limits of their own. */
    public interface OtherProtocol {}

    @Override
    public void postInitializeServerChildChannel(Channel accepted) {
        if (!(accepted.parent() instanceof OtherProtocol)) {
            ConnectionWatch.watch(accepted);
        }
    }
}
