package io.aiel.plane.hydrator.egress;

import io.aiel.plane.hydrator.PlaneAccess;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * One connection of a worker to the plane's own API: bytes go both ways and nothing looks at them, as the API itself judges what is asked.
 * Two threads pass them on; {@link #end} may be called by any.
 */
final class PlanePipe {
    private static final System.Logger LOG = System.getLogger(PlanePipe.class.getName());

    /** Longer than an execution may run, whose end ends this anyway. */
    private static final Duration IDLE_MAX = Duration.ofHours(1);

    private static final int PART = 16 * 1024;

    private final EgressProxy proxy;
    private final EgressStream worker;
    private final EgressGrant grant;
    private final PlaneAccess.Door door;
    private volatile @Nullable Socket api;
    private volatile boolean over;

    PlanePipe(EgressProxy proxy, EgressStream worker, EgressGrant grant, PlaneAccess.Door door) {
        this.proxy = proxy;
        this.worker = worker;
        this.grant = grant;
        this.door = door;
    }

    /** Passes on what the worker sends until either side ends. */
    void serve() {
        worker.onLost(() -> close(api));
        try {
            Socket opened = door.open(proxy.settings().connectTimeout());
            api = opened;
            if (over) {
                return;
            }
            opened.setTcpNoDelay(true);
            proxy.execute(() -> answers(opened));
            byte[] part = new byte[PART];
            OutputStream out = opened.getOutputStream();
            for (int count = worker.read(part, 0, PART, IDLE_MAX);
                    count >= 0;
                    count = worker.read(part, 0, PART, IDLE_MAX)) {
                out.write(part, 0, count);
            }
            opened.shutdownOutput();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "a worker's connection to the API ended", e);
            end();
        } finally {
            if (over) {
                close(api);
            }
        }
    }

    private void answers(Socket opened) {
        byte[] part = new byte[PART];
        try {
            InputStream in = opened.getInputStream();
            for (int count = in.read(part); count >= 0; count = in.read(part)) {
                worker.write(part, count, proxy.settings().idleTimeout());
            }
            worker.end();
        } catch (IOException e) {
            LOG.log(System.Logger.Level.DEBUG, "a worker's connection to the API ended", e);
        } finally {
            end();
        }
    }

    /** Closes both sides; what the API said before is still delivered. Does not wait for the worker to hear of it. */
    void end() {
        over = true;
        grant.over(this);
        close(api);
        worker.lost();
        // A worker that does not read would block whoever ends its execution.
        Thread.startVirtualThread(worker::close);
    }

    private static void close(@Nullable Socket socket) {
        if (socket != null) {
            try {
                socket.close();
            } catch (IOException e) {
                LOG.log(System.Logger.Level.DEBUG, "closing a connection", e);
            }
        }
    }
}
