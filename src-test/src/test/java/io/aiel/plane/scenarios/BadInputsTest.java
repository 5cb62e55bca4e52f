package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.Form;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.Results;
import io.aiel.plane.fixtures.SharedPlane;
import io.aiel.plane.fixtures.Waiting;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Supplier;
import java.util.stream.Stream;
import java.util.zip.GZIPOutputStream;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Every way in which bytes come in, with bytes that are wrong: each is refused by name, and leaves nothing half-written behind.
 *
 * <p>Meant to fail: without the check of normal form C in {@code FilePath} ("decomposed letters"), without {@code checkHead} in
 * {@code UploadsResource} ("a gzip bomb"), without the budget in {@code Receiving} (the second test: the server runs out of
 * heap). {@code ..} is refused by two rules, its own and that of dots at the end; both would have to go.
 */
@Tag("callers")
@ExtendWith(SharedPlane.class)
class BadInputsTest {
    private static final int FILE_BYTES_MAX = 10_485_760;
    private static final byte[] BYTES = "print('a')\n".getBytes(StandardCharsets.UTF_8);
    private static final String ABSENT = "0".repeat(64);

    private static final HttpClient HTTP = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(10))
            .build();

    private final PackagedPlane plane;

    BadInputsTest(PackagedPlane plane) {
        this.plane = plane;
    }

    /** One bad input: how it is sent, and how it must be answered; no code where the HTTP codec itself refuses. */
    private record Bad(String name, int status, String code, Supplier<Answer> send) {}

    @Test
    void refusesEachBadInputByNameAndLeavesNothingOfIt() {
        Project project = plane.newProject("bad-inputs");
        project.push(Map.of("entry_point.py", "x = 1\n", "pkg/a.py", "y = 2\n"));
        JsonNode before = files(project);
        List<Bad> all = new ArrayList<>();
        all.addAll(paths(project));
        all.addAll(besideOthers(project));
        all.addAll(announcements(project));
        all.addAll(bodies(project));
        all.addAll(signedUrls(project));
        all.addAll(commits(project));
        all.addAll(deletions(project));
        all.addAll(requests(project));
        assertThat(all).extracting(Bad::name).doesNotHaveDuplicates().hasSizeGreaterThanOrEqualTo(60);
        long openBefore = openFiles();

        SoftAssertions softly = new SoftAssertions();
        for (Bad bad : all) {
            Answer answer = bad.send().get();
            String code = bad.code().isEmpty() ? "" : code(answer);
            softly.assertThat(answer.status() + " " + code)
                    .as("%s\n%s", bad.name(), answer)
                    .isEqualTo(bad.status() + " " + bad.code());
            softly.assertThat(files(project))
                    .as("the files after: %s", bad.name())
                    .isEqualTo(before);
        }
        softly.assertAll();

        // Keep-alive connections of these clients and the database's pool come and go; leaks would be one for each
        // input.
        Waiting.until(
                Duration.ofSeconds(60),
                BadInputsTest.this::openFiles,
                open -> open < openBefore + all.size() / 2,
                "open files like before (" + openBefore + ")");
        Results.keep("callers", "bad-inputs", Map.of("refused", all.size()));
    }

    @Test
    void memoryDoesNotGrowWithTheNumberOfLargeFilesThatComeAndGoAtOnce() throws Exception {
        Project project = plane.newProject("large-inputs");
        long heapFew = upload(project, 4, 1);
        long few = peak();
        int many = Form.current().pick(16, 64);

        long heapMany = upload(project, many, 10);
        long after = peak();

        Results.keep(
                "callers",
                "large-files",
                Map.of(
                        "few",
                        4,
                        "many",
                        many,
                        "peak_rss_few",
                        few,
                        "peak_rss_many",
                        after,
                        "heap_few",
                        heapFew,
                        "heap_many",
                        heapMany));
        // The budget is 32 MiB whatever their number; each byte of it may be there a few times over on its way.
        assertThat(after - few).as("growth of the peak of resident memory").isLessThan(320L << 20);
        assertThat(plane.client().get("/q/health/ready").status()).isEqualTo(200);
    }

    // --- what is bad ------------------------------------------------------------------------------------------------

    private List<Bad> paths(Project project) {
        Map<String, String> paths = new LinkedHashMap<>();
        paths.put("an absolute path", "/etc/passwd");
        paths.put("out of the project", "../a.py");
        paths.put("out of the project and back", "a/../../b.py");
        paths.put("the same folder", "./a.py");
        paths.put("an empty part", "a//b.py");
        paths.put("a folder as a file", "a/");
        paths.put("a backslash", "a\\b.py");
        paths.put("a drive", "C:/a.py");
        paths.put("a second stream", "a.py::$DATA");
        paths.put("a wildcard", "*.py");
        paths.put("a pipe", "a|b.py");
        paths.put("NUL", "a\0b.py");
        paths.put("a line feed", "a\nb.py");
        paths.put("a carriage return", "a\rb.py");
        paths.put("an escape", "a\u001b[31mb.py");
        paths.put("C1", "a\u009bb.py");
        paths.put("DEL", "a\u007f.py");
        paths.put("a bidirectional override", "a\u202eyp.exe");
        paths.put("a bidirectional isolate", "a\u2066b.py");
        paths.put("a zero-width space", "a\u200bb.py");
        paths.put("a zero-width joiner", "a\u200db.py");
        paths.put("a byte order mark", "\ufeffa.py");
        paths.put("a soft hyphen", "a\u00adb.py");
        paths.put("a line separator", "a\u2028b.py");
        paths.put("an invisible letter", "a\u3164b.py");
        paths.put("a grapheme joiner", "a\u034fb.py");
        paths.put("a tag character", "a\udb40\udc41.py");
        paths.put("a character that is none", "a\uffff.py");
        paths.put("decomposed letters", "cafe\u0301.py");
        paths.put("an ångström sign", "\u212b.py");
        paths.put("git's folder", ".git/config");
        paths.put("git's folder in another case", "a/.GIT/hooks/post-checkout");
        paths.put("git's folder by its short name", "GIT~1/config");
        paths.put("compiled code", "pkg/__pycache__/a.cpython-313.pyc");
        paths.put("compiled code in another case", "pkg/__PyCache__/a.pyc");
        paths.put("the client's own folder", ".aiel/state.json");
        paths.put("a virtual environment", ".venv/bin/python");
        paths.put("a device", "con");
        paths.put("a device with an extension", "lib/AUX.py");
        paths.put("a device with two", "nul.tar.gz");
        paths.put("a port", "com1.txt");
        paths.put("a dot at the end", "a.");
        paths.put("a space at the end of a folder", "a /b.py");
        paths.put("a path one byte too long", longPath(513));
        paths.put("a part one byte too long", "a".repeat(256));
        paths.put("one part too many", "a/".repeat(32) + "b");
        List<Bad> bad = new ArrayList<>();
        paths.forEach((name, path) -> bad.add(new Bad(
                name,
                400,
                // An address with a NUL is refused before anybody looks what it names.
                path.indexOf('\0') >= 0 ? "MALFORMED_REQUEST" : "INVALID_PATH",
                () -> sign(project, path, BYTES.length, sha(BYTES)))));
        bad.add(new Bad(
                "no path",
                400,
                "VALIDATION_ERROR",
                () -> project.client().post(project.path() + "/uploads:sign", announcement(Map.of()))));
        bad.add(new Bad(
                "two path parameters that differ, the first bad",
                400,
                "INVALID_PATH",
                () -> project.client()
                        .post(project.path() + "/uploads:sign?path=..&path=a.py", announcement(Map.of()))));
        return bad;
    }

    /** Three bytes a part, so that neither their number nor their length is what is too much. */
    private static String longPath(int bytes) {
        String part = "a".repeat(100);
        StringBuilder path = new StringBuilder();
        while (path.length() + 101 < bytes) {
            path.append(part).append('/');
        }
        return path + "b".repeat(bytes - path.length());
    }

    private List<Bad> besideOthers(Project project) {
        Map<String, String> paths = new LinkedHashMap<>();
        paths.put("a file that differs in case alone", "PKG/A.py");
        paths.put("a folder that differs in case alone", "Pkg/b.py");
        paths.put("a file where a folder is", "pkg");
        paths.put("a folder where a file is", "pkg/a.py/b.py");
        List<Bad> bad = new ArrayList<>();
        paths.forEach((name, path) -> bad.add(new Bad(name, 400, "INVALID_PATH", () -> push(project, path, BYTES))));
        return bad;
    }

    private List<Bad> announcements(Project project) {
        Map<String, Object> wrong = new LinkedHashMap<>();
        wrong.put("a size below nothing", announcement(Map.of("size_bytes", -1)));
        wrong.put("a size that is no number", announcement(Map.of("size_bytes", "many")));
        wrong.put("a digest in capitals", announcement(Map.of("sha256", "A".repeat(64))));
        wrong.put("a digest that is too short", announcement(Map.of("sha256", "a".repeat(63))));
        wrong.put("a media type with a line feed", announcement(Map.of("content_type", "text/x-python\r\nX-A: b")));
        wrong.put("a media type that is none", announcement(Map.of("content_type", "python")));
        wrong.put("a version below nothing", announcement(Map.of("expected_version", -1)));
        List<Bad> bad = new ArrayList<>();
        String path = project.path() + "/uploads:sign?path=new.py";
        wrong.forEach((name, body) -> bad.add(
                new Bad(name, 400, "VALIDATION_ERROR", () -> project.client().post(path, body))));
        bad.add(new Bad(
                "a file one byte too large",
                400,
                "FILE_LIMIT",
                () -> project.client().post(path, announcement(Map.of("size_bytes", FILE_BYTES_MAX + 1)))));
        bad.add(new Bad(
                "a size beyond all numbers",
                400,
                "VALIDATION_ERROR",
                () -> project.client()
                        .post(
                                path,
                                "{\"content_type\":\"a/b\",\"size_bytes\":99999999999999999999,\"sha256\":\"" + ABSENT
                                        + "\"}")));
        bad.add(new Bad(
                "a member that does not exist",
                400,
                "VALIDATION_ERROR",
                () -> project.client().post(path, announcement(Map.of("mode", "0120777")))));
        bad.add(new Bad(
                "a member twice",
                400,
                "MALFORMED_REQUEST",
                () -> project.client()
                        .post(
                                path,
                                "{\"content_type\":\"a/b\",\"size_bytes\":1,\"size_bytes\":2,\"sha256\":\"" + ABSENT
                                        + "\"}")));
        return bad;
    }

    private List<Bad> bodies(Project project) {
        byte[] others = "print('b')\n".getBytes(StandardCharsets.UTF_8);
        byte[] longer = "print('a')\nmore".getBytes(StandardCharsets.UTF_8);
        byte[] shorter = "print".getBytes(StandardCharsets.UTF_8);
        return List.of(
                put(project, "other bytes of the same length", "DIGEST_MISMATCH", BodyPublishers.ofByteArray(others)),
                put(project, "more bytes than announced", "DIGEST_MISMATCH", BodyPublishers.ofByteArray(longer)),
                put(project, "fewer bytes than announced", "DIGEST_MISMATCH", BodyPublishers.ofByteArray(shorter)),
                put(project, "no bytes", "DIGEST_MISMATCH", BodyPublishers.noBody()),
                put(project, "more bytes in chunks", "DIGEST_MISMATCH", chunked(longer)),
                put(project, "fewer bytes in chunks", "DIGEST_MISMATCH", chunked(shorter)),
                new Bad(
                        "a megabyte in chunks",
                        400,
                        "DIGEST_MISMATCH",
                        () -> rawChunks(
                                signed(project, "new.py", BYTES)
                                        .path("signed_url")
                                        .asText(),
                                "",
                                1 << 20)),
                put(project, "a gzip bomb", 415, "UNSUPPORTED_MEDIA_TYPE", chunked(bomb()), "Content-Encoding", "gzip"),
                put(
                        project,
                        "a part of the file",
                        400,
                        "MALFORMED_REQUEST",
                        BodyPublishers.ofByteArray(BYTES),
                        "Content-Range",
                        "bytes 0-10/11"),
                put(
                        project,
                        "another media type",
                        403,
                        "SIGNED_URL_INVALID",
                        BodyPublishers.ofByteArray(BYTES),
                        "Content-Type",
                        "text/html"),
                new Bad("a body that breaks off", 409, "CONFLICT", () -> {
                    JsonNode signed = signed(project, "new.py", BYTES);
                    breakOff(signed.path("signed_url").asText());
                    return commit(project, signed);
                }),
                new Bad(
                        "a length that is no number",
                        400,
                        "",
                        () -> raw(
                                signed(project, "new.py", BYTES)
                                        .path("signed_url")
                                        .asText(),
                                "Content-Length: eleven\r\n",
                                BYTES)),
                new Bad(
                        "two lengths",
                        400,
                        "",
                        () -> raw(
                                signed(project, "new.py", BYTES)
                                        .path("signed_url")
                                        .asText(),
                                "Content-Length: 11\r\nContent-Length: 4\r\n",
                                BYTES)));
    }

    private List<Bad> signedUrls(Project project) {
        List<Bad> bad = new ArrayList<>();
        Map<String, java.util.function.UnaryOperator<String>> changes = new LinkedHashMap<>();
        changes.put("another path under a signature", url -> url.replace("path=new.py", "path=other.py"));
        changes.put("a later expiry under a signature", url -> url.replaceAll("expires=\\d+", "expires=99999999999"));
        changes.put("an expiry in the past", url -> url.replaceAll("expires=\\d+", "expires=1"));
        changes.put("no signature", url -> url.replaceAll("&signature=.*", ""));
        changes.put("an empty signature", url -> url.replaceAll("signature=.*", "signature="));
        changes.put("a signature in capitals", url -> {
            int at = url.indexOf("signature=") + "signature=".length();
            return url.substring(0, at) + url.substring(at).toUpperCase(java.util.Locale.ROOT) + "A";
        });
        changes.put(
                "another upload's id under a signature",
                url -> url.replaceAll("/upl_[0-9a-f]{32}", "/upl_" + "0".repeat(32)));
        changes.forEach((name, change) -> bad.add(new Bad(
                name,
                403,
                "SIGNED_URL_INVALID",
                () -> put(
                        change.apply(signed(project, "new.py", BYTES)
                                .path("signed_url")
                                .asText()),
                        BodyPublishers.ofByteArray(BYTES)))));
        bad.add(new Bad(
                "an upload's URL to read from",
                405,
                "METHOD_NOT_ALLOWED",
                () -> project.client()
                        .as("")
                        .get(signed(project, "new.py", BYTES).path("signed_url").asText())));
        bad.add(new Bad("a download of bytes that were not signed for", 403, "SIGNED_URL_INVALID", () -> {
            JsonNode download = project.client()
                    .post(project.path() + "/downloads:sign?path=pkg/a.py", Map.of())
                    .expect(200);
            return project.client()
                    .as("")
                    .get(download.path("signed_url").asText().replaceAll("blobs/[0-9a-f]{64}", "blobs/" + ABSENT));
        }));
        return bad;
    }

    private List<Bad> commits(Project project) {
        Project other = plane.newProject("bad-inputs-other");
        return List.of(
                new Bad(
                        "a commit before the bytes",
                        409,
                        "CONFLICT",
                        () -> commit(project, signed(project, "new.py", BYTES))),
                new Bad("a commit with a version that is not there", 409, "VERSION_CONFLICT", () -> {
                    JsonNode signed = signed(project, "new.py", BYTES);
                    put(signed.path("signed_url").asText(), BodyPublishers.ofByteArray(BYTES))
                            .expect(200);
                    return project.client()
                            .post(
                                    "/v1/uploads/" + signed.path("upload_id").asText() + ":commit",
                                    Map.of("expected_version", 7));
                }),
                new Bad("a commit of another project's upload", 404, "NOT_FOUND", () -> {
                    String id =
                            signed(project, "new.py", BYTES).path("upload_id").asText();
                    return project.client()
                            .post("/v1/uploads/" + id.replace(project.id(), other.id()) + ":commit", Map.of());
                }),
                new Bad(
                        "a commit of an id that is none",
                        404,
                        "NOT_FOUND",
                        () -> project.client()
                                .post(
                                        "/v1/uploads/" + project.workspace() + "~" + project.id() + "~upl_x:commit",
                                        Map.of())),
                new Bad("a second upload after the commit", 403, "SIGNED_URL_INVALID", () -> {
                    JsonNode signed = signed(other, "a.py", BYTES);
                    put(signed.path("signed_url").asText(), BodyPublishers.ofByteArray(BYTES))
                            .expect(200);
                    commit(other, signed).expect(200);
                    return put(signed.path("signed_url").asText(), BodyPublishers.ofByteArray(BYTES));
                }));
    }

    private List<Bad> deletions(Project project) {
        return List.of(
                new Bad(
                        "a deletion out of the project",
                        400,
                        "INVALID_PATH",
                        () -> project.client().delete(project.path() + "/files/a/%2E%2E%2Fb.py")),
                new Bad(
                        "a deletion of what never was",
                        404,
                        "NOT_FOUND",
                        () -> project.client().delete(project.path() + "/files/never.py")),
                new Bad(
                        "a deletion of another version",
                        409,
                        "VERSION_CONFLICT",
                        () -> project.client().delete(project.path() + "/files/pkg/a.py?expected_version=9")));
    }

    private List<Bad> requests(Project project) {
        String path = project.path() + "/executions";
        String tool = "{\"action\":\"invoke\",\"kind\":\"tool\",\"handler\":\"a\",\"event\":";
        Map<String, String> texts = new LinkedHashMap<>();
        texts.put("a request that is no JSON", "hello");
        texts.put("a request that breaks off", tool + "{\"a\":");
        texts.put("a request and more", tool + "{}} {}");
        texts.put("a request with a member twice", tool + "{\"a\":1,\"a\":2}}");
        texts.put("a request that is too deep", tool + "[".repeat(1100) + "]".repeat(1100) + "}");
        texts.put("a number that is too long", tool + "{\"a\":" + "1".repeat(1100) + "}}");
        texts.put("a request of too many values", tool + "[" + "[],".repeat(600_000) + "[]]}");
        texts.put("a number that JSON has not", tool + "{\"a\":NaN}}");
        List<Bad> bad = new ArrayList<>();
        String tooLong = tool + "{\"a\":\"" + "a".repeat(9 << 20) + "\"}}";
        bad.add(new Bad(
                "a text that is too long",
                413,
                "PAYLOAD_TOO_LARGE",
                () -> project.client().post(path, tooLong)));
        texts.forEach((name, text) -> bad.add(
                new Bad(name, 400, "MALFORMED_REQUEST", () -> project.client().post(path, text))));
        bad.add(new Bad(
                "a request in bytes that are no UTF-8",
                400,
                "MALFORMED_REQUEST",
                () -> post(
                        path,
                        BodyPublishers.ofByteArray(
                                (tool + "{\"a\":\"\u00ff\"}}").getBytes(StandardCharsets.ISO_8859_1)))));
        bad.add(new Bad(
                "a request in gzip",
                400,
                "MALFORMED_REQUEST",
                () -> post(path, BodyPublishers.ofByteArray(bomb()), "Content-Encoding", "gzip")));
        bad.add(new Bad(
                "a request that is another kind of text",
                415,
                "UNSUPPORTED_MEDIA_TYPE",
                () -> post(path, BodyPublishers.ofString("a=b"), "Content-Type", "application/x-www-form-urlencoded")));
        bad.add(new Bad(
                "a request that says it is too large",
                413,
                "PAYLOAD_TOO_LARGE",
                () -> raw(
                        plane.uri() + path,
                        "Content-Type: application/json\r\nAuthorization: Bearer "
                                + project.client().token() + "\r\nContent-Length: 33554433\r\n",
                        new byte[0])));
        bad.add(new Bad(
                "an event that is a list",
                400,
                "VALIDATION_ERROR",
                () -> project.client().post(path, tool + "[]}")));
        bad.add(new Bad(
                "a time in a million digits",
                400,
                "VALIDATION_ERROR",
                () -> project.client()
                        .post(
                                path,
                                "{\"action\":\"describe\",\"meta\":{\"timeout_ms\":\"" + "9".repeat(1_000_000)
                                        + "\"}}")));
        return bad;
    }

    // --- how it is sent ---------------------------------------------------------------------------------------------

    private static Map<String, Object> announcement(Map<String, ?> changes) {
        Map<String, Object> body = new LinkedHashMap<>();
        body.put("content_type", "text/x-python");
        body.put("expected_version", 0);
        body.put("size_bytes", BYTES.length);
        body.put("sha256", sha(BYTES));
        body.putAll(changes);
        return body;
    }

    private static Answer sign(Project project, String path, int size, String sha256) {
        return project.client()
                .post(
                        project.path() + "/uploads:sign?path=" + URLEncoder.encode(path, StandardCharsets.UTF_8),
                        announcement(Map.of("size_bytes", size, "sha256", sha256)));
    }

    private static JsonNode signed(Project project, String path, byte[] bytes) {
        return sign(project, path, bytes.length, sha(bytes)).expect(200);
    }

    private static Answer commit(Project project, JsonNode signed) {
        return project.client().post("/v1/uploads/" + signed.path("upload_id").asText() + ":commit", Map.of());
    }

    private Answer push(Project project, String path, byte[] bytes) {
        JsonNode signed = signed(project, path, bytes);
        put(signed.path("signed_url").asText(), BodyPublishers.ofByteArray(bytes))
                .expect(200);
        return commit(project, signed);
    }

    private Bad put(Project project, String name, String code, BodyPublisher body) {
        return put(project, name, 400, code, body);
    }

    /** A refused body must leave an upload that cannot be committed: nothing of it was stored. */
    private Bad put(Project project, String name, int status, String code, BodyPublisher body, String... headers) {
        return new Bad(name, status, code, () -> {
            JsonNode signed = signed(project, "new.py", BYTES);
            Answer refused = put(signed.path("signed_url").asText(), body, headers);
            assertThat(code(commit(project, signed)))
                    .as("a commit after: %s", name)
                    .isEqualTo("CONFLICT");
            return refused;
        });
    }

    private static Answer put(String url, BodyPublisher body, String... headers) {
        return send(request(url, headers).method("PUT", body).build());
    }

    private Answer post(String path, BodyPublisher body, String... headers) {
        HttpRequest.Builder request = request(plane.uri() + path, headers)
                .header("Authorization", "Bearer " + plane.client().token());
        if (Stream.of(headers).noneMatch("Content-Type"::equals)) {
            request.setHeader("Content-Type", "application/json");
        }
        return send(request.POST(body).build());
    }

    private static HttpRequest.Builder request(String url, String... headers) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url))
                .timeout(Duration.ofSeconds(90))
                .header("Content-Type", "text/x-python");
        for (int i = 0; i < headers.length; i += 2) {
            request.setHeader(headers[i], headers[i + 1]);
        }
        return request;
    }

    private static Answer send(HttpRequest request) {
        try {
            var response = HTTP.send(request, BodyHandlers.ofString(StandardCharsets.UTF_8));
            return new Answer(response.statusCode(), response.headers(), response.body(), json(response.body()));
        } catch (IOException e) {
            throw new UncheckedIOException(request.method() + " " + request.uri(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private static JsonNode json(String text) {
        try {
            JsonNode read = PlaneClient.JSON.readTree(text);
            return read == null ? PlaneClient.JSON.missingNode() : read;
        } catch (com.fasterxml.jackson.core.JsonProcessingException e) {
            return PlaneClient.JSON.missingNode();
        }
    }

    private static BodyPublisher chunked(byte[] bytes) {
        return BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(bytes));
    }

    /** A mebibyte of nothing in a kilobyte. */
    private static byte[] bomb() {
        try {
            ByteArrayOutputStream packed = new ByteArrayOutputStream();
            try (OutputStream out = new GZIPOutputStream(packed)) {
                out.write(new byte[1 << 20]);
            }
            return packed.toByteArray();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Announces all, sends a part and goes away. */
    private static void breakOff(String url) {
        URI uri = URI.create(url);
        try (Socket socket = new Socket(uri.getHost(), uri.getPort())) {
            socket.getOutputStream()
                    .write(("PUT " + uri.getRawPath() + "?" + uri.getRawQuery() + " HTTP/1.1\r\nHost: "
                                    + uri.getAuthority() + "\r\nContent-Type: text/x-python\r\nContent-Length: "
                                    + BYTES.length + "\r\n\r\nprint")
                            .getBytes(StandardCharsets.US_ASCII));
            socket.getOutputStream().flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A request as it stands, which no client library would send; PUT to signed addresses, else POST. */
    private static Answer raw(String url, String head, byte[] body) {
        try (Socket socket = connect(url)) {
            OutputStream out = socket.getOutputStream();
            out.write(head(url, head));
            out.write(body);
            out.flush();
            return read(socket);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** So many bytes in chunks, of which the server need not take all. */
    private static Answer rawChunks(String url, String head, int size) {
        try (Socket socket = connect(url)) {
            OutputStream out = socket.getOutputStream();
            out.write(head(url, head + "Transfer-Encoding: chunked\r\n"));
            try {
                byte[] chunk = ("10000\r\n" + "[".repeat(1 << 16) + "\r\n").getBytes(StandardCharsets.US_ASCII);
                for (int sent = 0; sent < size; sent += 1 << 16) {
                    out.write(chunk);
                }
                out.write("0\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
                out.flush();
            } catch (IOException e) {
                // The server has had enough; its answer says why.
            }
            return read(socket);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Socket connect(String url) throws IOException {
        URI uri = URI.create(url);
        Socket socket = new Socket(uri.getHost(), uri.getPort());
        socket.setSoTimeout(60_000);
        return socket;
    }

    private static byte[] head(String url, String head) {
        URI uri = URI.create(url);
        String target = uri.getRawPath() + (uri.getRawQuery() == null ? "" : "?" + uri.getRawQuery());
        String method = uri.getRawQuery() == null ? "POST " : "PUT ";
        String type = head.contains("Content-Type") ? "" : "Content-Type: text/x-python\r\n";
        return (method + target + " HTTP/1.1\r\nHost: " + uri.getAuthority() + "\r\nConnection: close\r\n" + type + head
                        + "\r\n")
                .getBytes(StandardCharsets.US_ASCII);
    }

    private static Answer read(Socket socket) throws IOException {
        ByteArrayOutputStream read = new ByteArrayOutputStream();
        try {
            byte[] buffer = new byte[8192];
            for (int count = socket.getInputStream().read(buffer);
                    count >= 0;
                    count = socket.getInputStream().read(buffer)) {
                read.write(buffer, 0, count);
            }
        } catch (java.net.SocketException e) {
            // Reset after the answer, since not all that was sent was taken.
        }
        String answer = read.toString(StandardCharsets.UTF_8);
        int end = answer.indexOf("\r\n\r\n");
        String text = end < 0 ? "" : answer.substring(end + 4);
        int status = answer.length() > 12 ? Integer.parseInt(answer.substring(9, 12)) : 0;
        return new Answer(status, java.net.http.HttpHeaders.of(Map.of(), (_, _) -> true), text, json(text));
    }

    /** Uploads so many files of the largest size, so many at a time; returns the heap that was in use at its most. */
    private long upload(Project project, int files, int atOnce) throws Exception {
        List<Callable<Long>> uploads = new ArrayList<>();
        for (int i = 0; i < files; i++) {
            int file = i;
            uploads.add(() -> {
                byte[] bytes = new byte[FILE_BYTES_MAX];
                new Random(files * 1_000L + file).nextBytes(bytes);
                JsonNode signed = signed(project, "large" + file + ".bin", bytes);
                put(signed.path("signed_url").asText(), BodyPublishers.ofByteArray(bytes))
                        .expect(200);
                return heap();
            });
        }
        long most = 0;
        try (ExecutorService callers = Executors.newFixedThreadPool(atOnce)) {
            for (var done : callers.invokeAll(uploads)) {
                most = Math.max(most, done.get());
            }
        }
        return most;
    }

    private long heap() {
        return plane.client()
                .get("/q/metrics")
                .text()
                .lines()
                .filter(line -> line.startsWith("jvm_memory_used_bytes") && line.contains("area=\"heap\""))
                .mapToLong(line -> (long) Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
                .sum();
    }

    /** The most memory that the server has had, bytes. */
    private long peak() {
        return proc("status")
                .lines()
                .filter(line -> line.startsWith("VmHWM:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) << 10)
                .sum();
    }

    private String proc(String file) {
        try {
            return Files.readString(Path.of("/proc/" + plane.process().pid(), file));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private long openFiles() {
        try (Stream<Path> open = Files.list(Path.of("/proc/" + plane.process().pid() + "/fd"))) {
            return open.count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static JsonNode files(Project project) {
        return project.client().get(project.path() + "/files").expect(200);
    }

    private static String code(Answer answer) {
        String code = answer.errorCode();
        return code.isEmpty() ? answer.json().path("code").asText("") : code;
    }

    private static String sha(byte[] bytes) {
        return Project.sha256(bytes);
    }
}
