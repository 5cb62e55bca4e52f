package io.aiel.plane.gateway.execution;

import io.aiel.plane.hydrator.EgressEvent;
import io.aiel.plane.hydrator.WorkerListener;
import io.aiel.plane.vocabulary.ExecutionId;
import io.aiel.plane.vocabulary.JsonText;
import java.util.concurrent.CompletionStage;

/** Passes what a worker says on to its record, and to a reader as it comes. Called on the worker's thread. */
record StreamedRecord(ExecutionId execution, WorkerRecord worker, ExecutionStream stream) implements WorkerListener {
    @Override
    public void started(String workerId, JsonText isolation, boolean coldStart) {
        worker.started(workerId, isolation, coldStart);
        stream.started(execution, coldStart);
    }

    @Override
    public void log(JsonText entry) {
        worker.log(entry);
        stream.log(entry);
    }

    @Override
    public CompletionStage<Boolean> egress(EgressEvent event) {
        return worker.egress(event);
    }

    @Override
    public boolean takesChunks() {
        return true;
    }

    @Override
    public CompletionStage<Void> chunk(JsonText data) {
        return stream.chunk(data);
    }
}
