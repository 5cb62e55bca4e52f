package io.aiel.plane.architecture.counterexample.vocabulary;

import com.tngtech.archunit.core.domain.JavaClass;

/** Breaks "the vocabulary is plain Java" by one foreign type. */
public record NotPlain(JavaClass foreign) {}
