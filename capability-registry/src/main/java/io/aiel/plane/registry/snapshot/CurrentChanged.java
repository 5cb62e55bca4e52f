package io.aiel.plane.registry.snapshot;

import io.aiel.plane.vocabulary.ProjectScope;

/** What is current in a project changed on this node, and the change is committed. Fired as a CDI event. */
public record CurrentChanged(ProjectScope scope) {}
