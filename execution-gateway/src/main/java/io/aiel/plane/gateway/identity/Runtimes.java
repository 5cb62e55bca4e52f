package io.aiel.plane.gateway.identity;

import java.util.Set;

/** The worker bundles that a project can choose as its runtime. The application supplies it. Thread-safe. */
public interface Runtimes {
    /** What a project has that says nothing. */
    String DEFAULT = "minimal";

    /** All names; empty on a server that runs no workers, which cannot know. Reads a folder. */
    Set<String> names();

    /** Begins to make one ready on this server, so that the next push need not wait; returns at once. */
    void prepare(String name);
}
