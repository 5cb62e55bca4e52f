package io.aiel.plane.policy;

import java.nio.file.Path;

/** Where the module's own files are while its tests run: Maven runs them in the module's folder. */
final class ModuleFiles {
    static final Path MODULE = Path.of("").toAbsolutePath();
    static final Path SOURCES = MODULE.resolve("src/main/rego");
    static final Path REGO_TESTS = MODULE.resolve("src/test/rego");
    static final Path CASES = MODULE.resolve("src/test/policy-cases");
    static final Path GENERATED = MODULE.resolve("src/main/resources/io/aiel/plane/policy");
    static final Path DOCS = MODULE.resolveSibling("docs/reference");

    private ModuleFiles() {}
}
