package io.aiel.plane.gateway.identity;

import io.aiel.plane.gateway.http.RememberedProjects;
import io.aiel.plane.vocabulary.ProjectScope;
import io.vertx.core.http.HttpServerRequest;
import jakarta.inject.Singleton;
import java.util.Optional;

/** Believes what {@link Authentication} and {@link Directory} remember, for as long as they do (two seconds at most, less after a revocation). */
@Singleton
final class RememberedCallers implements RememberedProjects {
    private final Authentication authentication;
    private final Directory directory;

    RememberedCallers(Authentication authentication, Directory directory) {
        this.authentication = authentication;
        this.directory = directory;
    }

    @Override
    public Optional<ProjectScope> project(HttpServerRequest request, String workspace, String project) {
        return authentication
                .remembered(request.headers())
                .flatMap(caller -> directory
                        .remembered(caller.tenant(), workspace, project)
                        .filter(scope -> caller.maySee(scope.workspace(), scope.project())));
    }
}
