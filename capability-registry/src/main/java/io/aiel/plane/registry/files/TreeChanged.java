package io.aiel.plane.registry.files;

import io.aiel.plane.vocabulary.ProjectScope;

/** A project's files changed on this node, and the change is committed. Fired as a CDI event. */
public record TreeChanged(ProjectScope scope) {}
