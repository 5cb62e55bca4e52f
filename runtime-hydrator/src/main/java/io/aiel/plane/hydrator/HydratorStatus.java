package io.aiel.plane.hydrator;

import io.aiel.plane.vocabulary.JsonText;

/**
 * The hydrator's state at one moment.
 *
 * @param ready an execution would find a worker: bundle installed, tier had, self-test passed
 * @param detail why not, or a short summary
 * @param isolation the {@code isolation} object of the worker protocol
 * @param workersIdle how many are warm and free
 * @param workersBusy how many run something
 */
public record HydratorStatus(boolean ready, String detail, JsonText isolation, int workersIdle, int workersBusy) {}
