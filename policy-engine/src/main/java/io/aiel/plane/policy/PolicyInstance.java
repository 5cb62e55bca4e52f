package io.aiel.plane.policy;

import com.dylibso.chicory.runtime.Memory;
import com.dylibso.chicory.wasm.ChicoryException;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import com.styra.opa.wasm.OpaWasm_ModuleExports;
import io.aiel.plane.vocabulary.JsonText;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * One runnable policy with its own memory. Used by one thread at a time (the pool sees to that); only {@link
 * #stopWhenStartedBefore} may be called by another thread meanwhile. After any exception it is broken for good.
 */
final class PolicyInstance {
    private static final int FORMAT_JSON = 0;

    private final OpaWasm_ModuleExports exports;
    private final Memory memory;
    private final int entryPoint;
    private final int dataAddress;
    /** Everything from here on is free before each evaluation: OPA's one-shot call begins its heap where we tell it. */
    private final int heapStart;

    private final Object running = new Object();

    @GuardedBy("running")
    private @Nullable Thread runner;

    @GuardedBy("running")
    private long startedNanos;

    @GuardedBy("running")
    private boolean stopped;

    PolicyInstance(OpaWasm_ModuleExports exports, Memory memory, int entryPoint, JsonText data) {
        this.exports = exports;
        this.memory = memory;
        this.entryPoint = entryPoint;
        byte[] bytes = PolicyModule.utf8(data);
        int text = exports.opaMalloc(bytes.length);
        memory.write(text, bytes);
        this.dataAddress = exports.opaJsonParse(text, bytes.length);
        if (dataAddress == 0) {
            throw new PolicyInvalid("the policy's data is not JSON that OPA can read");
        }
        this.heapStart = align(exports.opaHeapPtrGet());
    }

    /**
     * OPA's answer to this input: its result set as JSON text. Throws {@link EvaluationFailed} or whatever the translated
     * code threw; the instance must then be thrown away.
     */
    String evaluate(byte[] input) {
        begin();
        try {
            return evaluateNow(input);
        } catch (ChicoryException e) {
            if (end()) {
                throw new EvaluationFailed("the evaluation was stopped at its time limit");
            }
            throw e;
        } finally {
            end();
        }
    }

    /** Interrupts an evaluation that began earlier than this {@link System#nanoTime()}. Called by the watchdog. */
    void stopWhenStartedBefore(long nanos) {
        synchronized (running) {
            if (runner != null && !stopped && startedNanos - nanos < 0) {
                stopped = true;
                runner.interrupt();
            }
        }
    }

    private String evaluateNow(byte[] input) {
        int heap = align(Math.addExact(heapStart, input.length));
        int missing = heap - memory.pages() * Memory.PAGE_SIZE;
        if (missing > 0 && memory.grow(Math.ceilDiv(missing, Memory.PAGE_SIZE)) < 0) {
            throw new EvaluationFailed("the input does not fit into the policy's memory");
        }
        memory.write(heapStart, input);
        int answer = exports.opaEval(0, entryPoint, dataAddress, heapStart, input.length, heap, FORMAT_JSON);
        return memory.readString(answer, lengthOf(answer), StandardCharsets.UTF_8);
    }

    private int lengthOf(int text) {
        int end = text;
        int limit = memory.pages() * Memory.PAGE_SIZE;
        while (end < limit && memory.read(end) != 0) {
            end++;
        }
        return end - text;
    }

    private void begin() {
        synchronized (running) {
            runner = Thread.currentThread();
            startedNanos = System.nanoTime();
            stopped = false;
        }
    }

    /** After this nobody interrupts this thread on our account; takes back an interrupt that came on our account. */
    private boolean end() {
        synchronized (running) {
            boolean ours = runner != null && stopped;
            runner = null;
            if (ours) {
                Thread.interrupted();
            }
            return ours;
        }
    }

    private static int align(int address) {
        return (address + 7) & ~7;
    }
}
