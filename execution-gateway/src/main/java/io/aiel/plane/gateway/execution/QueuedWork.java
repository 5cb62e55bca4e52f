package io.aiel.plane.gateway.execution;

import io.aiel.plane.gateway.callback.CallbackWish;
import io.aiel.plane.vocabulary.JsonText;
import java.time.Instant;
import java.util.Optional;

/**
 * What an admission leaves in the queue.
 *
 * @param readyAt before then it is not begun
 * @param input the request as it is begun with; never goes on record
 * @param callback where its end is to be told, if anywhere
 */
record QueuedWork(Queueing wishes, Instant readyAt, JsonText input, Optional<CallbackWish> callback) {}
