package io.aiel.plane.gateway.integration;

import java.util.List;

/** A description of a system is not one: a mistake of whoever wrote it, found before the server serves. */
final class ConnectorInvalid extends RuntimeException {
    private static final long serialVersionUID = 1L;

    ConnectorInvalid(String provider, List<String> problems) {
        super("the description of " + provider + " is wrong: " + String.join("; ", problems));
    }
}
