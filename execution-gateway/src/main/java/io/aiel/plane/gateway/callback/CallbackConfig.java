package io.aiel.plane.gateway.callback;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** Telling others that an execution has ended. */
@ConfigMapping(prefix = "plane.callbacks")
public interface CallbackConfig {
    /** Hosts that callbacks may go to, such as {@code hooks.example.com}, with a port where it is not 443, and with {@code http://} where it is called without TLS; absent means that there are no callbacks. */
    Optional<List<String>> hosts();

    /** Names among them that may resolve to private, loopback or reserved addresses; absent means none may. */
    Optional<List<String>> privateHosts();

    /** Certificates (PEM) that are trusted for callbacks; absent means those that Java trusts on this host. */
    Optional<Path> caFile();

    /** The key that secrets are sealed with, 64 hex digits, the same for all nodes; absent means one that is kept in the database. */
    Optional<String> sealingKey();

    /** How long callbacks are still signed with a secret that was replaced. */
    @WithDefault("24H")
    Duration secretOverlap();

    /** Secrets of one project, those included that were replaced and have not ended. */
    @WithDefault("5")
    int secretsMax();

    /** Callbacks that this server sends at once. */
    @WithDefault("32")
    int inHandMax();

    /** Those of one project to one host. */
    @WithDefault("4")
    int perHostMax();

    /** For one attempt, from resolving the name to the head of the answer. */
    @WithDefault("15S")
    Duration attemptTimeout();

    /** The time between the first attempt and the second; it doubles with each. */
    @WithDefault("5S")
    Duration retryFirst();

    /** The longest time between two attempts. */
    @WithDefault("1H")
    Duration retryMax();

    /** When to give up, counted from the end of the execution. */
    @WithDefault("24H")
    Duration giveUpAfter();

    /** The longest envelope that goes along, characters. */
    @WithDefault("262144")
    int envelopeCharactersMax();

    /** How often it is looked for callbacks that are due. */
    @WithDefault("500ms")
    Duration lookEvery();

    /** How long one statement or transaction may take. */
    @WithDefault("5S")
    Duration statementTimeout();
}
