/** Events, their outbox, the relay to Kafka and the sink that keeps them. */
@NullMarked
package io.aiel.plane.audit;

import org.jspecify.annotations.NullMarked;
