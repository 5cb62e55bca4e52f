package io.aiel.plane.hydrator;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.vocabulary.ExecutionOutcome;
import io.aiel.plane.vocabulary.Obligations;
import java.nio.file.Path;

/**
 * Starts a hydrator with one isolation, runs one tool, and prints what came of it as JSON behind {@link #MARK}; a program of its
 * own, so that a test can give it namespaces to be in.
 */
final class TierProbe {
    static final String MARK = "TIER ";

    private TierProbe() {}

    public static void main(String[] arguments) throws Exception {
        HydratorSettings settings =
                HydratorSettings.defaults(Path.of(arguments[0])).withIsolation(arguments[1]);
        if (arguments.length > 2) {
            settings = settings.withMinimum(arguments[2]);
        }
        try (Plane plane = Plane.startWhateverComesOfIt(settings)) {
            SnapshotFiles snapshot = plane.snapshot("""
                    import os
                    from aiel_sdk import tool

                    @tool("look")
                    def look(ctx, event: dict) -> dict:
                        try:
                            passwd = bool(open("/etc/passwd").read())
                        except OSError:
                            passwd = False
                        return {"uid": os.getuid(), "passwd": passwd}
                    """);
            HydratorStatus status = plane.hydrator().status();
            Plane.Listener listener = new Plane.Listener();
            ExecutionOutcome outcome = Plane.get(plane.run(
                    plane.project(), snapshot, Plane.tool("look", "{}"), Plane.TIMEOUT, Obligations.NONE, listener));
            ObjectNode found = Plane.JSON.createObjectNode();
            found.put("ready", status.ready()).put("detail", status.detail());
            found.set("status", Plane.read(status.isolation()));
            found.put("code", Plane.code(outcome)).put("text", Plane.text(outcome));
            found.set("execution", Plane.read(listener.isolation));
            if (Plane.code(outcome).equals("OK")) {
                found.set("result", Plane.result(outcome));
            }
            System.out.println(MARK + found);
        }
    }
}
