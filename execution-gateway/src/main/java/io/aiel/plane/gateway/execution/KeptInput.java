package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.JsonText;
import java.time.Instant;

/** An input that its caller wants kept, beside the record and not in it. */
record KeptInput(JsonText input, Instant expiresAt) {}
