package io.aiel.plane.registry;

import io.aiel.plane.vocabulary.ResolvedCapability;
import java.util.List;

/** Where a name led. */
public sealed interface Resolution {
    /** It is there and was validated. */
    record Found(ResolvedCapability capability) implements Resolution {}

    /** The environment has no deployed snapshot; {@code rejected} holds the findings of the newest rejected one, if any. */
    record NothingDeployed(String environment, List<String> rejected) implements Resolution {}

    /** No such snapshot in this project, or one that did not pass validation. */
    record UnknownSnapshot(String digest) implements Resolution {}

    /** The snapshot does not export it; {@code known} lists some names of that kind. */
    record UnknownCapability(String kind, String name, List<String> known) implements Resolution {}

    /** The tree has changes whose validation could not be done now; nothing is said about them. */
    record ValidationUnavailable(String detail) implements Resolution {}
}
