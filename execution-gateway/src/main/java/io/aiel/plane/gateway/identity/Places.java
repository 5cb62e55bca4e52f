package io.aiel.plane.gateway.identity;

import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ProjectId;
import io.aiel.plane.vocabulary.WorkspaceId;
import io.smallrye.mutiny.Uni;
import java.util.Optional;

/** Turns the {@code workspace} and {@code project} of a request body into ids, within what the caller may see. */
final class Places {
    private Places() {}

    /** The tenant when both are empty, else a workspace, else a project of it. */
    record Place(Optional<WorkspaceId> workspace, Optional<ProjectId> project) {}

    static Uni<Place> find(
            Directory directory, Caller caller, String pointer, Optional<String> workspace, Optional<String> project) {
        if (workspace.isEmpty()) {
            return Uni.createFrom().item(new Place(Optional.empty(), Optional.empty()));
        }
        if (project.isEmpty()) {
            return directory
                    .workspace(caller.tenant(), workspace.get())
                    .map(found -> found.filter(caller::maySee)
                            .map(id -> new Place(Optional.of(id), Optional.empty()))
                            .orElseThrow(() -> Refusal.invalid(pointer + "/workspace", "there is no such workspace")));
        }
        return directory
                .project(caller.tenant(), workspace.get(), project.get())
                .map(found -> found.filter(scope -> caller.maySee(scope.workspace(), scope.project()))
                        .map(scope -> new Place(Optional.of(scope.workspace()), Optional.of(scope.project())))
                        .orElseThrow(() ->
                                Refusal.invalid(pointer + "/project", "there is no such project in that workspace")));
    }
}
