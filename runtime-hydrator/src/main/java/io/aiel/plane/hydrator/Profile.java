package io.aiel.plane.hydrator;

/** What a worker is born able to do beyond computing: selects its system call filter. A worker never changes its profile. */
enum Profile {
    DEFAULT("default", false, false),
    NETWORK("network", true, false),
    SUBPROCESS("subprocess", false, true),
    NETWORK_SUBPROCESS("network+subprocess", true, true);

    private final String wireName;
    private final boolean network;
    private final boolean subprocess;

    Profile(String wireName, boolean network, boolean subprocess) {
        this.wireName = wireName;
        this.network = network;
        this.subprocess = subprocess;
    }

    static Profile of(boolean network, boolean subprocess) {
        return network ? subprocess ? NETWORK_SUBPROCESS : NETWORK : subprocess ? SUBPROCESS : DEFAULT;
    }

    /** As it stands in the protocol and in each execution's record. */
    String wireName() {
        return wireName;
    }

    boolean network() {
        return network;
    }

    boolean subprocess() {
        return subprocess;
    }
}
