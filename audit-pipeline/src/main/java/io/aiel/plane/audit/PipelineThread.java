package io.aiel.plane.audit;

import java.time.Duration;
import java.util.Optional;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * A thread of its own that does one step after the other until it is closed. A step that fails is tried again after a growing
 * pause, for ever: nothing in this pipeline may be given up. A platform thread, because Kafka's clients block in native calls,
 * where a virtual thread would hold one of the few carriers.
 */
final class PipelineThread implements AutoCloseable {
    private static final Logger LOG = Logger.getLogger(PipelineThread.class);

    private final String name;
    private final Step step;
    private final Runnable wake;
    private final Runnable release;
    private final Backoff backoff;
    private final Duration stopTimeout;
    private final Wakeup stopped = new Wakeup();
    private volatile boolean running;
    private volatile @Nullable String trouble;
    private @Nullable Thread thread;

    /** One round of work; may wait for work, but not long. */
    @FunctionalInterface
    interface Step {
        void run() throws Exception;
    }

    /**
     * @param wake ends the step's waiting; called by {@link #close()} on the caller's thread
     * @param release gives back what the step holds; called on the thread itself after a failure and at the end
     */
    PipelineThread(String name, Step step, Runnable wake, Runnable release, Backoff backoff, Duration stopTimeout) {
        this.name = name;
        this.step = step;
        this.wake = wake;
        this.release = release;
        this.backoff = backoff;
        this.stopTimeout = stopTimeout;
    }

    synchronized void start() {
        if (thread == null) {
            running = true;
            thread = Thread.ofPlatform().name(name).daemon(true).start(this::loop);
        }
    }

    boolean isRunning() {
        return running;
    }

    /** Why the last step failed; empty when it did not. */
    Optional<String> trouble() {
        return Optional.ofNullable(trouble);
    }

    /** Stops after the step that is running, at most after the stop timeout. Safe to call again. */
    @Override
    public synchronized void close() {
        Thread stopping = thread;
        thread = null;
        running = false;
        if (stopping == null) {
            return;
        }
        stopped.signal();
        wake.run();
        try {
            if (!stopping.join(stopTimeout)) {
                LOG.warnf("%s did not stop within %s and is interrupted", name, stopTimeout);
                stopping.interrupt();
                if (!stopping.join(Duration.ofSeconds(1))) {
                    LOG.errorf("%s did not stop when interrupted", name);
                }
            }
        } catch (InterruptedException _) {
            stopping.interrupt();
            Thread.currentThread().interrupt();
        }
    }

    private void loop() {
        try {
            while (running) {
                if (!attempt()) {
                    stopped.await(backoff.next());
                }
            }
        } catch (InterruptedException _) {
            LOG.debugf("%s was interrupted", name);
        } finally {
            released();
        }
    }

    @SuppressWarnings("InterruptedExceptionSwallowed") // not swallowed: rethrown by its own clause
    private boolean attempt() throws InterruptedException {
        try {
            step.run();
            if (trouble != null) {
                LOG.infof("%s goes on", name);
                trouble = null;
            }
            backoff.reset();
            return true;
        } catch (InterruptedException e) {
            throw e;
        } catch (Exception e) {
            if (running) {
                if (trouble == null) {
                    LOG.warnf(e, "%s failed and tries again", name);
                } else {
                    LOG.debugf(e, "%s failed again", name);
                }
                trouble = e.toString();
            }
            released();
            return false;
        }
    }

    private void released() {
        try {
            release.run();
        } catch (RuntimeException e) {
            LOG.debugf(e, "%s could not give back what it held", name);
        }
    }
}
