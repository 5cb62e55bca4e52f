package io.aiel.plane.hydrator;

import io.aiel.plane.vocabulary.Obligations;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/** A server that runs something that does not end, to be killed in the middle of it. */
final class CrashProbe {
    static final String RUNNING = "RUNNING ";

    private CrashProbe() {}

    public static void main(String[] arguments) throws Exception {
        try (Plane plane = Plane.start(HydratorSettings.defaults(Path.of(arguments[0])))) {
            SnapshotFiles snapshot = plane.snapshot("""
                    import time
                    from aiel_sdk import tool

                    @tool("sleep")
                    def sleep(ctx, event: dict) -> dict:
                        time.sleep(300)
                    """);
            Plane.Listener listener = new Plane.Listener();
            RunningExecution running = plane.run(
                    plane.project(), snapshot, Plane.tool("sleep", "{}"), Plane.TIMEOUT, Obligations.NONE, listener);
            listener.worker.get(20, TimeUnit.SECONDS);
            System.out.println(RUNNING + plane.hydrator().socket().getParent());
            // Killed before that.
            var _ = Plane.get(running);
        }
    }
}
