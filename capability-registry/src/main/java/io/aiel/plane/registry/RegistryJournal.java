package io.aiel.plane.registry;

import io.aiel.plane.vocabulary.DeploymentId;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.SnapshotRef;
import io.smallrye.mutiny.Uni;
import java.util.Map;
import org.hibernate.reactive.mutiny.Mutiny;

/**
 * Where the registry records what it changed, in the transaction that changes it: both are kept or neither. The application
 * supplies it, because the registry does not know the audit pipeline. Thread-safe.
 */
public interface RegistryJournal {
    /** Files of a project changed. */
    Uni<Void> changed(
            Mutiny.Session transaction,
            Cause cause,
            ProjectScope scope,
            String what,
            String subject,
            Map<String, String> facts);

    /** A snapshot was sealed. */
    Uni<Void> sealed(
            Mutiny.Session transaction,
            Cause cause,
            ProjectScope scope,
            SnapshotRef snapshot,
            boolean valid,
            int findings);

    /** A snapshot became current in an environment. */
    Uni<Void> deployed(
            Mutiny.Session transaction,
            Cause cause,
            ProjectScope scope,
            Digest snapshot,
            String environment,
            DeploymentId deployment);
}
