package io.aiel.plane.policy;

/** One evaluation did not come to an answer; the instance that ran it must not be used again. */
final class EvaluationFailed extends RuntimeException {
    private final String why;

    EvaluationFailed(String why) {
        super(why);
        this.why = why;
    }

    /** What happened; may be shown. */
    String why() {
        return why;
    }
}
