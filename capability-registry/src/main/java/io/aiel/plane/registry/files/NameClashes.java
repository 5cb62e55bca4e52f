package io.aiel.plane.registry.files;

import io.aiel.plane.registry.RegistryRefusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ProjectId;
import io.smallrye.mutiny.Uni;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.hibernate.reactive.mutiny.Mutiny;

/**
 * Refuses a new path that a file system could not hold beside the others, or not on every developer's machine: the same but for
 * letter case, or a directory where a file is, or the other way round.
 */
final class NameClashes {
    private NameClashes() {}

    /** Fails with {@code INVALID_PATH} naming the other file; the tree must be locked. */
    static Uni<Void> check(Mutiny.Session session, ProjectId project, FilePath path) {
        List<String> directories = path.directories();
        Mutiny.SelectionQuery<String> query = session.createSelectionQuery(
                        "select f.path from FileEntity f where f.project = :project and not f.deleted and ("
                                + condition(directories.size()) + ") order by f.path",
                        String.class)
                .setParameter("project", project.value())
                .setParameter("folded", path.folded())
                // "0" is the character after "/": between the two lies all that is below a directory.
                .setParameter("below", path.folded() + "/")
                .setParameter("beyond", path.folded() + "0");
        for (int i = 0; i < directories.size(); i++) {
            String folded = FilePath.fold(directories.get(i));
            String exact = directories.get(i) + "/";
            query.setParameter("file" + i, folded)
                    .setParameter("below" + i, folded + "/")
                    .setParameter("beyond" + i, folded + "0")
                    .setParameter("length" + i, exact.codePointCount(0, exact.length()))
                    .setParameter("exact" + i, exact);
        }
        return query.setMaxResults(1)
                .getResultList()
                .invoke(others -> others.forEach(other -> {
                    throw clash(path, other);
                }))
                .replaceWithVoid();
    }

    /** Only numbers go into the text; names are parameters. */
    private static String condition(int directories) {
        List<String> clashes = new ArrayList<>();
        // The same but for case, and something below what is to be a file.
        clashes.add("f.folded = :folded");
        clashes.add("(f.folded > :below and f.folded < :beyond)");
        for (int i = 0; i < directories; i++) {
            // A file where a directory is to be, and a directory that is the same but for case.
            clashes.add("f.folded = :file" + i);
            clashes.add(
                    "(f.folded > :below%1$d and f.folded < :beyond%1$d and substring(f.path, 1, :length%1$d) <> :exact%1$d)"
                            .formatted(i));
        }
        return String.join(" or ", clashes);
    }

    private static RegistryRefusal clash(FilePath path, String other) {
        return new RegistryRefusal(
                ErrorCode.INVALID_PATH,
                "The file " + path + " cannot lie beside " + other
                        + ": they differ in letter case alone, or one needs a directory where the other is a file.",
                Map.of("path", path.toString(), "collides_with", other));
    }
}
