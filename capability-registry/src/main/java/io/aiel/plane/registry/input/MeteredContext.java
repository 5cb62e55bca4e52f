package io.aiel.plane.registry.input;

import com.networknt.schema.Error;
import com.networknt.schema.ExecutionConfig;
import com.networknt.schema.ExecutionContext;

/**
 * One evaluation of a schema, with a limit on its work. A small schema that refers to itself twice doubles with each level, and a
 * large one on a large input multiplies; either would hold an event loop, and with it other tenants. Used by one thread.
 */
final class MeteredContext extends ExecutionContext {
    /** Keywords evaluated on values; an ordinary input needs a few for each of its values. */
    private static final int KEYWORDS_MAX = 500_000;

    /** Errors are objects with texts, each with the path to it. */
    private static final int ERROR_COST = 50;

    private int left = KEYWORDS_MAX;

    MeteredContext(ExecutionConfig config) {
        super(config);
    }

    @Override
    public void evaluationPathAddLast(String keyword) {
        spend(1);
        super.evaluationPathAddLast(keyword);
    }

    @Override
    public void addError(Error error) {
        spend(ERROR_COST);
        super.addError(error);
    }

    private void spend(int cost) {
        left -= cost;
        if (left < 0) {
            throw new MeteredPattern.TooMuchWork();
        }
    }
}
