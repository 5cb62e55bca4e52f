package io.aiel.plane.hydrator;

import io.aiel.plane.vocabulary.ExecutionOutcome;
import java.util.concurrent.CompletionStage;

/** A handle on one execution that was handed over. Thread-safe. */
public interface RunningExecution {
    /** Completes exactly once, normally, within the deadline plus grace; failures of the worker are outcomes too. */
    CompletionStage<ExecutionOutcome> outcome();

    /** Asks the worker to stop, and kills it after the grace. No effect when it has ended. */
    void cancel();
}
