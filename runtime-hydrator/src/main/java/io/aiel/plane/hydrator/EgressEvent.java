package io.aiel.plane.hydrator;

import java.time.Duration;

/**
 * What a worker's connection to the outside does, told before it takes effect. {@code connection} counts an execution's connections
 * from 1; {@code host} is empty and {@code port} 0 where they could not be read.
 */
public sealed interface EgressEvent {
    int connection();

    String host();

    int port();

    /** It is about to be connected to this address. */
    record Allowed(int connection, String host, int port, String scheme, String address) implements EgressEvent {}

    /** It is refused; nothing of it leaves. */
    record Refused(int connection, String host, int port, Reason reason, String detail) implements EgressEvent {}

    /** An allowed one is over. */
    record Closed(int connection, String host, int port, How how, long bytesSent, long bytesReceived, Duration openFor)
            implements EgressEvent {}

    /** Why a connection is refused. */
    enum Reason {
        MALFORMED,
        TOO_LARGE,
        TIMEOUT,
        ADDRESS_FOR_NAME,
        NOT_GRANTED,
        HOST_MISMATCH,
        NOT_TLS,
        NO_SERVER_NAME,
        SERVER_NAME_MISMATCH,
        ENCRYPTED_HELLO,
        UNRESOLVED,
        PRIVATE_ADDRESS,
        CONNECTION_LIMIT;

        /** As it is recorded. */
        public String wireName() {
            return name().toLowerCase(java.util.Locale.ROOT);
        }
    }

    /** How a connection ended. */
    enum How {
        DONE,
        CONNECT_FAILED,
        BROKEN,
        IDLE,
        BYTES_LIMIT,
        EXECUTION_ENDED;

        /** As it is recorded. */
        public String wireName() {
            return name().toLowerCase(java.util.Locale.ROOT);
        }
    }
}
