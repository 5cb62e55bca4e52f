package io.aiel.plane.gateway.overload;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * How many executions may be in this server's hands.
 *
 * @param limitInitial places at start
 * @param limitMin places that there always are, however slow the server is
 * @param limitMax places that there are at most
 * @param projectMax places of one project at most, also when nobody else wants one
 * @param waitingMax requests that may wait for a place
 * @param waitMax how long one may wait
 * @param tolerance how many times the usual time the plane's own part of an execution may take before places are taken away
 */
public record GateSettings(
        int limitInitial,
        int limitMin,
        int limitMax,
        int projectMax,
        int waitingMax,
        Duration waitMax,
        double tolerance) {
    /** Throws {@link IllegalArgumentException} that names everything that is wrong. */
    public GateSettings {
        List<String> wrong = new ArrayList<>();
        if (limitMin < 1) {
            wrong.add("limit-min is " + limitMin + "; it must be at least 1");
        }
        if (limitMax < limitMin) {
            wrong.add("limit-max is " + limitMax + "; it must not be below limit-min, which is " + limitMin);
        }
        if (limitInitial < limitMin || limitInitial > limitMax) {
            wrong.add("the initial limit is " + limitInitial + "; it must be within " + limitMin + " and " + limitMax);
        }
        if (projectMax < 1) {
            wrong.add("project-max is " + projectMax + "; it must be at least 1");
        }
        if (waitingMax < 0) {
            wrong.add("waiting-max is " + waitingMax + "; it must not be negative");
        }
        if (waitMax.isNegative() || waitMax.compareTo(Duration.ofSeconds(30)) > 0) {
            wrong.add("wait-max is " + waitMax + "; it must be within PT0S and PT30S");
        }
        if (!(tolerance >= 1 && tolerance <= 100)) {
            wrong.add("tolerance is " + tolerance + "; it must be within 1 and 100");
        }
        if (!wrong.isEmpty()) {
            throw new IllegalArgumentException("plane.execution.concurrency: " + String.join("; ", wrong));
        }
    }
}
