package io.aiel.plane.registry.files;

import io.aiel.plane.registry.Cause;
import io.aiel.plane.registry.RegistryConfig;
import io.aiel.plane.registry.RegistryJournal;
import io.aiel.plane.registry.RegistryRefusal;
import io.aiel.plane.registry.Transactions;
import io.aiel.plane.vocabulary.Digest;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.ProjectScope;
import io.aiel.plane.vocabulary.TokenText;
import io.aiel.plane.vocabulary.UploadId;
import io.smallrye.mutiny.Uni;
import jakarta.enterprise.context.ApplicationScoped;
import jakarta.enterprise.event.Event;
import java.time.Clock;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.hibernate.reactive.mutiny.Mutiny;
import org.jspecify.annotations.Nullable;

/**
 * The files of projects, in PostgreSQL. An upload is announced (sign), received (store) and taken into the tree (commit); only the
 * last changes what others see, in one transaction. Thread-safe. Refusals are {@link RegistryRefusal}.
 */
@ApplicationScoped
public class FileStore {
    private static final String TOKEN = "[A-Za-z0-9!#$&^_.+-]{1,100}";
    private static final Pattern CONTENT_TYPE =
            Pattern.compile(TOKEN + "/" + TOKEN + "( *; *[A-Za-z0-9-]{1,40}=[A-Za-z0-9._-]{1,80}){0,3}");

    private final Transactions transactions;
    private final RegistryConfig config;
    private final RegistryJournal journal;
    private final Event<TreeChanged> changes;
    private final Clock clock = Clock.systemUTC();

    public FileStore(
            Transactions transactions, RegistryConfig config, RegistryJournal journal, Event<TreeChanged> changes) {
        this.transactions = transactions;
        this.config = config;
        this.journal = journal;
        this.changes = changes;
    }

    /** All files, sorted by path. */
    public Uni<List<StoredFile>> list(ProjectScope scope) {
        return transactions.run(session -> session.createQuery(
                        "from FileEntity f where f.project = :project and not f.deleted order by f.path",
                        FileEntity.class)
                .setParameter("project", scope.project().value())
                .getResultList()
                .map(files -> files.stream().map(FileEntity::view).toList()));
    }

    /** The file with this path, or a refusal {@code NOT_FOUND}. */
    public Uni<StoredFile> file(ProjectScope scope, String path) {
        FilePath checked = path(path);
        return transactions.run(session -> find(session, scope, checked)
                .map(found ->
                        found.filter(FileEntity::live).map(FileEntity::view).orElseThrow(RegistryRefusal::notFound)));
    }

    /** How many bytes a blob has, or a refusal {@code NOT_FOUND}. */
    public Uni<Long> blobSize(Digest digest) {
        return transactions.run(session -> session.createQuery(
                        "select b.sizeBytes from BlobEntity b where b.digest = :digest", Long.class)
                .setParameter("digest", digest.value())
                .getSingleResultOrNull()
                .map(size -> Optional.ofNullable(size).orElseThrow(RegistryRefusal::notFound)));
    }

    /** The bytes of a blob; whoever calls has made sure that its caller may read a file that has it. */
    public Uni<byte[]> blob(Digest digest) {
        return transactions.run(session -> session.createQuery(
                        "select b.bytes from BlobEntity b where b.digest = :digest", byte[].class)
                .setParameter("digest", digest.value())
                .getSingleResultOrNull()
                .map(bytes -> Optional.ofNullable(bytes).orElseThrow(RegistryRefusal::notFound)));
    }

    /** Announces an upload. What is known to be refused at the commit is refused here already. */
    public Uni<SignedUpload> sign(ProjectScope scope, Cause cause, String path, UploadRequest request) {
        FilePath checked = path(path);
        checkSize(request.sizeBytes());
        if (!CONTENT_TYPE.matcher(request.contentType()).matches() || TokenText.isIn(request.contentType())) {
            throw invalid("/content_type", "not a media type such as text/x-python");
        }
        Instant now = clock.instant();
        UploadEntity upload = new UploadEntity(scope, checked, request, cause, now, now.plus(config.signedUrlTtl()));
        return transactions.run(session -> find(session, scope, checked)
                .invoke(current -> {
                    if (!sameBytes(current, request.digest())) {
                        request.expectedVersion().ifPresent(expected -> checkVersion(checked, expected, current));
                    }
                })
                .chain(() -> checkOpen(session, scope, now))
                .chain(() -> checkUncommitted(session, scope, request.sizeBytes(), now))
                .chain(() -> session.persist(upload))
                .map(_ -> upload.view()));
    }

    private Uni<Void> checkOpen(Mutiny.Session session, ProjectScope scope, Instant now) {
        return session.createQuery(
                        "select count(*) from UploadEntity u where u.project = :project and u.state <> 'committed'"
                                + " and u.expiresAt > :now",
                        Long.class)
                .setParameter("project", scope.project().value())
                .setParameter("now", now)
                .getSingleResult()
                .invoke(open -> {
                    if (open >= config.uploadsOpenMax()) {
                        throw new RegistryRefusal(
                                ErrorCode.RATE_LIMITED,
                                "The project has " + open
                                        + " uploads that were signed and not committed; commit them or wait until they"
                                        + " expire.");
                    }
                })
                .replaceWithVoid();
    }

    /** What came and was not committed is kept until {@link RegistrySweep} forgets its upload, so it counts for as long. */
    private Uni<Void> checkUncommitted(Mutiny.Session session, ProjectScope scope, long moreBytes, Instant now) {
        return session.createQuery(
                        "select coalesce(sum(u.sizeBytes), 0L) from UploadEntity u where u.project = :project"
                                + " and u.state <> 'committed' and (u.state = 'stored' or u.expiresAt > :now)",
                        Long.class)
                .setParameter("project", scope.project().value())
                .setParameter("now", now)
                .getSingleResult()
                .invoke(bytes -> {
                    if (bytes + moreBytes > config.uploadsBytesMax()) {
                        throw new RegistryRefusal(
                                ErrorCode.QUOTA_EXCEEDED,
                                "The project's uploads that are not committed would have " + (bytes + moreBytes)
                                        + " bytes; the limit is " + config.uploadsBytesMax()
                                        + ". Commit them, or wait until they are forgotten.",
                                Map.of("quota", "uploads_bytes", "max", config.uploadsBytesMax()));
                    }
                })
                .replaceWithVoid();
    }

    /** The upload with this id, when its bytes may still be sent; otherwise a refusal {@code SIGNED_URL_INVALID}. */
    public Uni<SignedUpload> awaiting(UploadId id) {
        return transactions.run(session -> session.find(UploadEntity.class, id.value())
                .map(found -> {
                    @Nullable UploadEntity upload = found;
                    if (upload == null || upload.is(UploadEntity.COMMITTED) || upload.expiredAt(clock.instant())) {
                        throw new RegistryRefusal(
                                ErrorCode.SIGNED_URL_INVALID,
                                "This upload is over: it expired or was committed. Sign a new one.");
                    }
                    return upload.view();
                }));
    }

    /** Keeps the bytes of an upload. Fails with {@code DIGEST_MISMATCH} when they are not those that were announced. */
    public Uni<Void> store(SignedUpload upload, byte[] bytes) {
        if (bytes.length != upload.sizeBytes()) {
            throw new RegistryRefusal(
                    ErrorCode.DIGEST_MISMATCH,
                    "The upload was signed for " + upload.sizeBytes() + " bytes, and " + bytes.length + " were sent.",
                    Map.of("expected_bytes", upload.sizeBytes(), "found_bytes", bytes.length));
        }
        Digest found = Digest.of(bytes);
        if (!found.equals(upload.digest())) {
            throw new RegistryRefusal(
                    ErrorCode.DIGEST_MISMATCH,
                    "The bytes do not have the SHA-256 that the upload was signed for.",
                    Map.of("expected_sha256", upload.digest().hex(), "found_sha256", found.hex()));
        }
        // The time says when the blob was last wanted: RegistrySweep clears unused ones away.
        return transactions.run(session -> session.createNativeQuery(
                        "INSERT INTO blobs (digest, size_bytes, bytes) VALUES (:digest, :size, :bytes)"
                                + " ON CONFLICT (digest) DO UPDATE SET stored_at = now()")
                .setParameter("digest", found.value())
                .setParameter("size", upload.sizeBytes())
                .setParameter("bytes", bytes)
                .executeUpdate()
                .chain(() -> session.find(UploadEntity.class, upload.id().value()))
                .invoke(row -> {
                    if (row != null && !row.is(UploadEntity.COMMITTED)) {
                        row.stored(clock.instant());
                    }
                })
                .replaceWithVoid());
    }

    /**
     * Takes an upload into the tree. Succeeds without a change when the file has these bytes already, whatever version was
     * expected: that is a push repeated after it broke.
     *
     * @param expected what the committer expects; when empty, what the signer expected counts
     */
    public Uni<Committed> commit(ProjectScope scope, Cause cause, UploadId id, Optional<Long> expected) {
        return transactions
                .run(session -> Trees.lock(session, scope)
                        .chain(totals -> session.find(UploadEntity.class, id.value())
                                .chain(upload -> commit(session, scope, cause, totals, upload, expected))))
                .invoke(committed -> {
                    if (committed.changed()) {
                        changes.fire(new TreeChanged(scope));
                    }
                });
    }

    private Uni<Committed> commit(
            Mutiny.Session session,
            ProjectScope scope,
            Cause cause,
            Trees.Totals totals,
            @Nullable UploadEntity upload,
            Optional<Long> expected) {
        if (upload == null || !upload.belongsTo(scope)) {
            throw RegistryRefusal.notFound();
        }
        FilePath path = path(upload.path());
        return find(session, scope, path)
                .chain(current -> commit(session, scope, cause, totals, upload, path, current, expected));
    }

    private Uni<Committed> commit(
            Mutiny.Session session,
            ProjectScope scope,
            Cause cause,
            Trees.Totals totals,
            UploadEntity upload,
            FilePath path,
            Optional<FileEntity> current,
            Optional<Long> expected) {
        Instant now = clock.instant();
        Optional<FileEntity> live = current.filter(FileEntity::live);
        if (upload.is(UploadEntity.COMMITTED)) {
            // The file may have gone on since; the answer is what it is now.
            return Uni.createFrom()
                    .item(new Committed(live.map(FileEntity::view).orElseThrow(RegistryRefusal::notFound), false));
        }
        if (upload.is(UploadEntity.OPEN)) {
            throw new RegistryRefusal(
                    ErrorCode.CONFLICT, "The bytes of this upload were not sent yet; PUT them to the signed URL.");
        }
        if (upload.expiredAt(now)) {
            throw new RegistryRefusal(ErrorCode.CONFLICT, "This upload expired; sign a new one.");
        }
        if (live.isPresent() && sameBytes(current, upload.digest())) {
            upload.committed(live.get().version(), now);
            return Uni.createFrom().item(new Committed(live.get().view(), false));
        }
        long wanted = expected.or(upload::expectedVersion)
                .orElseThrow(() ->
                        invalid("/expected_version", "needed here, because the signing named none; 0 for a new file"));
        checkVersion(path, wanted, current);
        long moreFiles = live.isPresent() ? 0 : 1;
        long moreBytes = upload.sizeBytes() - live.map(FileEntity::sizeBytes).orElse(0L);
        checkLimits(totals, moreFiles, moreBytes);
        Uni<Void> free =
                live.isPresent() ? Uni.createFrom().voidItem() : NameClashes.check(session, scope.project(), path);
        Optional<Digest> before = live.map(FileEntity::digest);
        return free.chain(() -> write(session, scope, cause, path, upload, current, now))
                .call(() -> letGo(session, before))
                .call(() -> Trees.changed(session, scope, moreFiles, moreBytes, config.quietPeriod(), cause))
                .invoke(file -> upload.committed(file.version(), now))
                .call(file ->
                        record(session, cause, scope, "file.committed", file.path(), file.version(), file.digest()))
                .map(file -> new Committed(file, true));
    }

    private static Uni<StoredFile> write(
            Mutiny.Session session,
            ProjectScope scope,
            Cause cause,
            FilePath path,
            UploadEntity upload,
            Optional<FileEntity> current,
            Instant now) {
        FileEntity file = current.orElseGet(() -> new FileEntity(scope.project(), path));
        file.become(upload, cause, now);
        Uni<Void> kept = current.isPresent() ? Uni.createFrom().voidItem() : session.persist(file);
        return kept.chain(session::flush).map(_ -> file.view());
    }

    /**
     * Removes a file from the tree. Removing one that was removed already succeeds, so that a push that broke can be repeated; a
     * path that never was is {@code NOT_FOUND}.
     *
     * @param expected the version to remove; empty removes whatever is there
     * @return whether something changed
     */
    public Uni<Boolean> delete(ProjectScope scope, Cause cause, String path, Optional<Long> expected) {
        FilePath checked = path(path);
        return transactions
                .run(session -> Trees.lock(session, scope)
                        .chain(() -> find(session, scope, checked))
                        .chain(found -> delete(session, scope, cause, checked, found, expected)))
                .invoke(changed -> {
                    if (changed) {
                        changes.fire(new TreeChanged(scope));
                    }
                });
    }

    private Uni<Boolean> delete(
            Mutiny.Session session,
            ProjectScope scope,
            Cause cause,
            FilePath path,
            Optional<FileEntity> found,
            Optional<Long> expected) {
        FileEntity file = found.orElseThrow(RegistryRefusal::notFound);
        if (!file.live()) {
            return Uni.createFrom().item(false);
        }
        expected.ifPresent(wanted -> checkVersion(path, wanted, found));
        Digest before = file.digest();
        file.delete(cause, clock.instant());
        return session.flush()
                .chain(() -> letGo(session, Optional.of(before)))
                .chain(() -> Trees.changed(session, scope, -1, -file.sizeBytes(), config.quietPeriod(), cause))
                .chain(() -> record(session, cause, scope, "file.deleted", path.toString(), file.version(), before))
                .replaceWith(true);
    }

    /** Its time starts anew, so that a seal or a hydration that read the tree before still finds the blob. */
    private static Uni<Void> letGo(Mutiny.Session session, Optional<Digest> blob) {
        return blob.isEmpty()
                ? Uni.createFrom().voidItem()
                : session.createNativeQuery("UPDATE blobs SET stored_at = now() WHERE digest = :digest")
                        .setParameter("digest", blob.get().value())
                        .executeUpdate()
                        .replaceWithVoid();
    }

    private Uni<Void> record(
            Mutiny.Session session,
            Cause cause,
            ProjectScope scope,
            String what,
            String path,
            long version,
            Digest digest) {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("path", path);
        facts.put("version", Long.toString(version));
        facts.put("digest", digest.value());
        return journal.changed(session, cause, scope, what, scope.project().value(), facts);
    }

    private FilePath path(String text) {
        try {
            return FilePath.parse(
                    text,
                    new FilePath.Limits(config.pathBytesMax(), config.pathSegmentsMax(), config.pathSegmentBytesMax()));
        } catch (InvalidPath e) {
            throw new RegistryRefusal(
                    ErrorCode.INVALID_PATH, "This is no path that a file may have: " + e.getMessage() + ".");
        }
    }

    private static Uni<Optional<FileEntity>> find(Mutiny.Session session, ProjectScope scope, FilePath path) {
        return session.createQuery("from FileEntity f where f.project = :project and f.path = :path", FileEntity.class)
                .setParameter("project", scope.project().value())
                .setParameter("path", path.toString())
                .getSingleResultOrNull()
                .map(Optional::ofNullable);
    }

    private static boolean sameBytes(Optional<FileEntity> current, Digest digest) {
        return current.filter(FileEntity::live)
                .filter(file -> file.digest().equals(digest))
                .isPresent();
    }

    private static void checkVersion(FilePath path, long expected, Optional<FileEntity> current) {
        Optional<FileEntity> live = current.filter(FileEntity::live);
        long found = live.map(FileEntity::version).orElse(0L);
        if (expected == found) {
            return;
        }
        Map<String, Object> details = new LinkedHashMap<>();
        details.put("path", path.toString());
        details.put("expected_version", expected);
        details.put("found_version", found);
        live.ifPresent(file -> details.put("found_sha256", file.digest().hex()));
        throw new RegistryRefusal(
                ErrorCode.VERSION_CONFLICT,
                "The file " + path + " has version " + found + ", and " + expected
                        + " was expected (0 is a file that does not exist). Pull, merge and push again.",
                details);
    }

    private void checkSize(long bytes) {
        if (bytes < 0) {
            throw invalid("/size_bytes", "must not be negative");
        }
        if (bytes > config.fileBytesMax()) {
            throw tooMuch("file_bytes_max", config.fileBytesMax(), bytes, "The file has " + bytes + " bytes");
        }
    }

    private void checkLimits(Trees.Totals totals, long moreFiles, long moreBytes) {
        long files = totals.fileCount() + moreFiles;
        if (moreFiles > 0 && files > config.projectFilesMax()) {
            throw tooMuch(
                    "project_files_max", config.projectFilesMax(), files, "The project would have " + files + " files");
        }
        long bytes = totals.sizeBytes() + moreBytes;
        if (moreBytes > 0 && bytes > config.projectBytesMax()) {
            throw tooMuch(
                    "project_bytes_max", config.projectBytesMax(), bytes, "The project would have " + bytes + " bytes");
        }
    }

    private static RegistryRefusal tooMuch(String limit, long maximum, long found, String what) {
        return new RegistryRefusal(
                ErrorCode.FILE_LIMIT,
                what + "; the limit is " + maximum + ".",
                Map.of("limit", limit, "maximum", maximum, "found", found));
    }

    private static RegistryRefusal invalid(String pointer, String message) {
        return new RegistryRefusal(
                ErrorCode.VALIDATION_ERROR,
                pointer + ": " + message,
                Map.of("errors", List.of(Map.of("pointer", pointer, "message", message))));
    }
}
