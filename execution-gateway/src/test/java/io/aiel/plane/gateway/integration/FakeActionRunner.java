package io.aiel.plane.gateway.integration;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.smallrye.mutiny.Uni;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Function;

/** Stands for an outside system that does as a test says. */
final class FakeActionRunner implements ActionRunner {
    private final List<ActionRequest> seen = Collections.synchronizedList(new ArrayList<>());
    private final Function<ActionRequest, Uni<ActionResult>> answer;

    FakeActionRunner(Function<ActionRequest, Uni<ActionResult>> answer) {
        this.answer = answer;
    }

    static FakeActionRunner done() {
        return new FakeActionRunner(_ -> Uni.createFrom()
                .item(new ActionResult.Done(
                        JsonNodeFactory.instance.objectNode().put("inserted", 1))));
    }

    /** What it was asked for, oldest first. */
    List<ActionRequest> seen() {
        return List.copyOf(seen);
    }

    @Override
    public boolean serves(String provider) {
        return provider.equals("postgres");
    }

    @Override
    public Uni<ActionResult> run(ActionRequest request) {
        seen.add(request);
        return answer.apply(request);
    }
}
