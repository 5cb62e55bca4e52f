package io.aiel.plane.hydrator;

import io.aiel.plane.vocabulary.JsonText;
import java.io.IOException;
import java.net.Socket;
import java.time.Duration;

/**
 * What lets the code of one execution ask the plane's own API: a way to it, and what the SDK looks for in a file. Thread-safe.
 *
 * @param door where connections of the code lead
 * @param credentials the content of the file in which the published clients look for a profile; has a secret of this execution
 */
public record PlaneAccess(Door door, JsonText credentials) {
    /** Where the API answers the code, within its worker. The worker's side has the port as {@code PLANE_PORT}. */
    public static final String BASE_URL = "http://127.0.0.1:3129";

    /** Where connections of one execution's code lead. */
    @FunctionalInterface
    public interface Door {
        /**
         * A new connection to the API, which knows whose it is. May block for {@code limit}. The caller closes it. Throws when the
         * execution is over.
         */
        Socket open(Duration limit) throws IOException;
    }

    @Override
    public String toString() {
        return "PlaneAccess(redacted)";
    }
}
