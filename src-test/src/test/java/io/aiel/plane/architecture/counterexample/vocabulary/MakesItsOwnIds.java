package io.aiel.plane.architecture.counterexample.vocabulary;

import com.github.f4b6a3.uuid.UuidCreator;

/** Breaks "the UUID library stays in Ids". */
public final class MakesItsOwnIds {
    private MakesItsOwnIds() {}

    public static String create() {
        return UuidCreator.getTimeOrderedEpoch().toString();
    }
}
