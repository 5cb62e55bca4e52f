package io.aiel.plane.policy;

import com.dylibso.chicory.compiler.MachineFactoryCompiler;
import com.dylibso.chicory.runtime.ByteArrayMemory;
import com.dylibso.chicory.runtime.Instance;
import com.dylibso.chicory.runtime.Machine;
import com.dylibso.chicory.runtime.Memory;
import com.dylibso.chicory.wasm.Parser;
import com.dylibso.chicory.wasm.WasmModule;
import com.dylibso.chicory.wasm.types.MemoryLimits;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.styra.opa.wasm.OpaWasm_Env;
import com.styra.opa.wasm.OpaWasm_ModuleExports;
import com.styra.opa.wasm.OpaWasm_ModuleImports;
import io.aiel.plane.vocabulary.JsonText;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.function.Function;

/**
 * One policy, translated to Java bytecode once; makes any number of {@link PolicyInstance}s of it.
 *
 * <p>The ABI bindings are opa-java-wasm's. Its {@code OpaPolicy} is not used because it translates the module anew for each
 * instance (seconds instead of milliseconds) and counts characters where OPA counts bytes. Thread-safe.
 */
final class PolicyModule {
    /** The one revision of OPA's wasm ABI this host was written for. */
    private static final int ABI_MAJOR = 1;

    private static final int ABI_MINOR = 3;
    private static final int PAGES_PER_MIB = (1 << 20) / Memory.PAGE_SIZE;
    private static final int PAGES_INITIAL = 16;
    private static final ObjectMapper JSON = new ObjectMapper();

    private final WasmModule module;
    private final Function<Instance, Machine> machines;
    private final String entryPoint;
    private final int memoryMibMax;

    private PolicyModule(WasmModule module, Function<Instance, Machine> machines, String entryPoint, int memoryMibMax) {
        this.module = module;
        this.machines = machines;
        this.entryPoint = entryPoint;
        this.memoryMibMax = memoryMibMax;
    }

    /** Parses and translates: seconds of processor time. Throws {@link PolicyInvalid}. */
    static PolicyModule translate(CompiledPolicy policy, int memoryMibMax) {
        try {
            WasmModule module = Parser.parse(policy.wasm());
            return new PolicyModule(module, MachineFactoryCompiler.compile(module), policy.entryPoint(), memoryMibMax);
        } catch (RuntimeException e) {
            throw new PolicyInvalid("the policy is not a wasm module this engine can translate: " + e.getMessage(), e);
        }
    }

    /** Makes one more instance over this data document: milliseconds. Throws {@link PolicyInvalid}. */
    PolicyInstance instantiate(JsonText data) {
        Memory memory = new ByteArrayMemory(new MemoryLimits(PAGES_INITIAL, memoryMibMax * PAGES_PER_MIB));
        Host host = new Host(memory);
        Instance instance = Instance.builder(module)
                .withImportValues(host.toImportValues())
                .withMachineFactory(machines)
                .build();
        OpaWasm_ModuleExports exports = new OpaWasm_ModuleExports(instance);
        checkAbi(exports);
        checkBuiltins(json(exports, memory, exports.builtins()));
        Integer entry = json(exports, memory, exports.entrypoints()).get(entryPoint);
        if (entry == null) {
            throw new PolicyInvalid("the policy has no entry point " + entryPoint);
        }
        return new PolicyInstance(exports, memory, entry, data);
    }

    private static void checkAbi(OpaWasm_ModuleExports exports) {
        long major = exports.opaWasmAbiVersion().getValue();
        long minor = exports.opaWasmAbiMinorVersion().getValue();
        if (major != ABI_MAJOR || minor != ABI_MINOR) {
            throw new PolicyInvalid("the policy has wasm ABI " + major + "." + minor + ", this engine has " + ABI_MAJOR
                    + "." + ABI_MINOR + "; compile it with the OPA version that policy-engine/compile-policy names");
        }
    }

    /** Refused at load, not at the first decision that happens to need the function. */
    private static void checkBuiltins(Map<String, Integer> builtins) {
        if (!builtins.isEmpty()) {
            throw new PolicyInvalid("the policy uses built-in functions that OPA does not compile into wasm and this "
                    + "engine does not offer: "
                    + String.join(", ", builtins.keySet().stream().sorted().toList()));
        }
    }

    private static Map<String, Integer> json(OpaWasm_ModuleExports exports, Memory memory, int value) {
        int text = exports.opaJsonDump(value);
        try {
            return JSON.readValue(memory.readCString(text), new TypeReference<Map<String, Integer>>() {});
        } catch (JsonProcessingException e) {
            throw new PolicyInvalid("the policy describes itself in no form this engine knows", e);
        } finally {
            exports.opaFree(text);
        }
    }

    /** What the policy may ask of us: memory, and to say that it gave up. */
    private static final class Host implements OpaWasm_ModuleImports, OpaWasm_Env {
        private final Memory memory;

        Host(Memory memory) {
            this.memory = memory;
        }

        @Override
        public OpaWasm_Env env() {
            return this;
        }

        @Override
        public Memory memory() {
            return memory;
        }

        @Override
        public void opaAbort(int message) {
            throw new EvaluationFailed("the policy aborted: " + memory.readCString(message));
        }

        @Override
        public int opaBuiltin0(int builtin, int context) {
            throw noBuiltins();
        }

        @Override
        public int opaBuiltin1(int builtin, int context, int a) {
            throw noBuiltins();
        }

        @Override
        public int opaBuiltin2(int builtin, int context, int a, int b) {
            throw noBuiltins();
        }

        @Override
        public int opaBuiltin3(int builtin, int context, int a, int b, int c) {
            throw noBuiltins();
        }

        @Override
        public int opaBuiltin4(int builtin, int context, int a, int b, int c, int d) {
            throw noBuiltins();
        }

        private static EvaluationFailed noBuiltins() {
            return new EvaluationFailed("the policy called a built-in function it had not declared");
        }
    }

    /** The bytes OPA reads: its JSON parser takes UTF-8. */
    static byte[] utf8(JsonText text) {
        return text.value().getBytes(StandardCharsets.UTF_8);
    }
}
