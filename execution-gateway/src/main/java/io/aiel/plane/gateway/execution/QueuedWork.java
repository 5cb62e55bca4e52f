package io.aiel.plane.gateway.execution;

import io.aiel.plane.gateway.callback.CallbackWish;
import io.aiel.plane.vocabulary.JsonText;
import io.aiel.plane.vocabulary.RetryRule;
import java.time.Instant;
import java.util.Optional;

/**
 * What an admission leaves in the queue.
 *
 * @param retry how often it may be begun: as its caller wants it, or else the policy
 * @param readyAt before then it is not begun
 * @param input the request as it is begun with; never goes on record
 * @param callback where its end is to be told, if anywhere
 */
record QueuedWork(Queueing wishes, RetryRule retry, Instant readyAt, JsonText input, Optional<CallbackWish> callback) {}
