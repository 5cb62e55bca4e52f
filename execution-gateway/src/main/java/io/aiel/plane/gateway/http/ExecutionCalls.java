package io.aiel.plane.gateway.http;

import io.aiel.plane.gateway.execution.ExecutionAnswer;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ExecutionId;
import io.vertx.ext.web.RoutingContext;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What every call that runs something reads of its request, and how it says that nothing ran. Stateless; on the event loop. */
public final class ExecutionCalls {
    static final String IDEMPOTENCY_KEY = "Idempotency-Key";

    /** The id of the execution that an answer is of, where the answer is not an envelope that has it. */
    static final String EXECUTION_ID = "Aiel-Execution-Id";

    static final String REPLAYED = "Idempotency-Replayed";

    private ExecutionCalls() {}

    /** Not by {@code @HeaderParam}, which takes an empty header for none and the first of two for the only one. */
    static Optional<String> idempotencyKey(RoutingContext routing) {
        List<String> sent = routing.request().headers().getAll(IDEMPOTENCY_KEY);
        if (sent.size() > 1) {
            throw Refusal.invalid("header:" + IDEMPOTENCY_KEY, "is there more than once; send one");
        }
        return sent.stream().findFirst().map(ExecutionCalls::unquoted);
    }

    /** The header is a string of RFC 9651, in quotes; most clients send it without. */
    private static String unquoted(String header) {
        boolean quoted = header.length() > 1 && header.startsWith("\"") && header.endsWith("\"");
        return quoted ? header.substring(1, header.length() - 1).replaceAll("\\\\([\"\\\\])", "$1") : header;
    }

    /** An execution has not ended that runs, or is to run, under the same key. */
    public static Refusal inProgress(ExecutionId execution) {
        return new Refusal(
                        ErrorCode.EXECUTION_IN_PROGRESS,
                        "The execution " + execution + " runs under this idempotency key and has not ended.",
                        Map.of("execution_id", execution.value()))
                .retryAfter(1);
    }

    /** The plane did not take it. */
    public static Refusal refusal(ExecutionAnswer.Refused refused) {
        Refusal refusal = new Refusal(refused.code(), refused.detail());
        return refused.retryAfter()
                .map(after -> refusal.retryAfter((int) Math.max(1, after.toSeconds())))
                .orElse(refusal);
    }
}
