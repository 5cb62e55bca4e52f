package io.aiel.plane.gateway.execution;

import io.aiel.plane.vocabulary.ModelUse;
import java.util.List;

/**
 * What the code of an execution used of language models.
 *
 * @param names of the models, in the order of their first use; not necessarily all of them
 */
record ModelsUsed(ModelUse use, List<String> names) {
    static final ModelsUsed NONE = new ModelsUsed(ModelUse.NONE, List.of());

    ModelsUsed {
        names = List.copyOf(names);
    }
}
