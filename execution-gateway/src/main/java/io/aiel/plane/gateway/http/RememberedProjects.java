package io.aiel.plane.gateway.http;

import io.aiel.plane.vocabulary.ProjectScope;
import io.vertx.core.http.HttpServerRequest;
import java.util.Optional;

/** Which project a request is about, as far as that is known without asking the database. Thread-safe. */
@FunctionalInterface
public interface RememberedProjects {
    /**
     * The project of that path, when the sender of this request was recognised within the last moments and may know of the project. Empty says
     * nothing: the request has to go the ordinary way.
     */
    Optional<ProjectScope> project(HttpServerRequest request, String workspace, String project);
}
