package io.aiel.plane.scenarios;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.aiel.plane.fixtures.Answer;
import io.aiel.plane.fixtures.EmbeddedStores;
import io.aiel.plane.fixtures.HostProcess;
import io.aiel.plane.fixtures.PackagedPlane;
import io.aiel.plane.fixtures.PlaneClient;
import io.aiel.plane.fixtures.Project;
import io.aiel.plane.fixtures.SecretSearch;
import io.aiel.plane.fixtures.SecretSearch.Finding;
import io.aiel.plane.fixtures.SharedPlane;
import io.aiel.plane.fixtures.Waiting;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Every token and key of a plane, put to use in the right places and in the wrong ones, and then looked for wherever it does not
 * belong: log, output, audit log, Kafka, a dump of the database, answers, all files of the data folder, and the memory, command
 * lines and environments of its processes.
 *
 * <p>Seen to fail: a token in the path of a request in no known version of HTTP was found in the log and on the output, written by the
 * framework's own error handler, before the formatter of the log cut tokens.
 */
@Tag("callers")
@ExtendWith(SharedPlane.class)
class SecretsTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    /** Files whose purpose is to hold a secret for their owner, who alone may read them. */
    private static final List<String> PRIVATE =
            List.of("dev-token", "signing-key", "sealing-key", "credentials-keys", "postgres/credentials.properties");

    private static final String EXECUTIONS_TOKEN = "an execution's token";

    /** Tells what its token is by the one way that it has, and ends when it is told to. */
    private static final String HOLDING = """
            import json, os, time, urllib.request
            from aiel_sdk import tool

            def thread(path, body=None):
                url = os.environ["AIEL_EXECUTE_URL"].removesuffix("/executions") + "/memory/thread/" + path
                headers = {"Authorization": "Bearer " + os.environ["AIEL_TOKEN"], "Content-Type": "application/json"}
                request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), headers)
                with urllib.request.urlopen(request, timeout=15) as answer:
                    return json.loads(answer.read())

            @tool("hold")
            def hold(ctx, event):
                # Backwards, or this message would be what is looked for.
                message = {"role": "human", "content": os.environ["AIEL_TOKEN"][::-1]}
                thread("held/messages:append", {"messages": [message]})
                end = time.monotonic() + 100
                while time.monotonic() < end and not thread("release/messages")["messages"]:
                    time.sleep(0.2)
                return "released" if time.monotonic() < end else "timed out"
            """;

    private static final Map<String, byte[]> secrets = new LinkedHashMap<>();
    private static final Map<String, String> answers = new LinkedHashMap<>();

    private static PackagedPlane plane;
    private static EmbeddedStores stores;
    private static SecretSearch search;

    /** Where the token of a running execution was found outside of memory, while it ran. */
    private static final List<Finding> whileItRan = new ArrayList<>();

    /** The Python processes that had it in their memory, by id, and whether they have children. */
    private static final Map<Long, Boolean> holders = new TreeMap<>();

    @BeforeAll
    static void useEverySecretEverywhere(PackagedPlane shared) throws Exception {
        plane = shared;
        stores = new EmbeddedStores(shared);
        Project project = plane.newProject("secrets");
        collectTokens(project);
        secrets.put("a caller's argument", text("cnry-argument-5f0aW2pQ9"));
        secrets.put("a caller's ctx", text("cnry-context-8Zr41LmXw7"));
        secrets.put("a result", text("cnry-result-Jt63vBqH0e"));
        push(project);
        stores.passwords().forEach((user, password) -> secrets.put("PostgreSQL's password of " + user, text(password)));
        secrets.put("the key of signed URLs", key("signing-key"));
        secrets.put("the key of callbacks' secrets", key("sealing-key"));
        secrets.put("the key of credentials", key("credentials-keys"));
        for (String name : List.of("the development token", "a user's token", "a service's token", "a revoked token")) {
            misplace(project, name, new String(secrets.get(name), StandardCharsets.UTF_8));
        }
        hold(project);
        run(project);
        callBack(project);
        project.client().get("/v1/audit/events?limit=200").expect(200);
        search = new SecretSearch(secrets);
    }

    private static void collectTokens(Project project) {
        PlaneClient client = project.client();
        secrets.put("the development token", text(client.token()));
        secrets.put("a user's token", text(plane.token("canary", List.of("developer"), List.of("*"))));
        String service = client.post("/v1/principals", Map.of("kind", "service", "name", "canary " + project.id()))
                .expect(201)
                .path("id")
                .asText();
        secrets.put(
                "a service's token",
                text(made(client, Map.of("name", "svc", "principal_id", service, "scopes", List.of("*")))
                        .path("token")
                        .asText()));
        secrets.put(
                "a confined token",
                text(made(
                                client,
                                Map.of(
                                        "name",
                                        "confined",
                                        "scopes",
                                        List.of("*"),
                                        "workspace",
                                        project.workspace(),
                                        "project",
                                        project.id()))
                        .path("token")
                        .asText()));
        JsonNode revoked = made(client, Map.of("name", "revoked", "scopes", List.of("*")));
        client.delete("/v1/tokens/" + revoked.path("id").asText()).expect(200);
        secrets.put("a revoked token", text(revoked.path("token").asText()));
        JsonNode expired = made(client, Map.of("name", "expired", "scopes", List.of("*"), "expires_in_seconds", 1));
        secrets.put("an expired token", text(expired.path("token").asText()));
        client.as(expired.path("token").asText()).get("/v1/auth/me");
        client.get("/v1/tokens").expect(200);
    }

    private static JsonNode made(PlaneClient client, Map<String, ?> draft) {
        return client.post("/v1/tokens", draft).expect(201);
    }

    /** Pushes the code, and keeps the signatures of the URLs of an upload and of a download. */
    private static void push(Project project) {
        String code = """
                from aiel_sdk import tool

                @tool("use")
                def use(ctx, payload):
                    return {"given": payload, "made": "cnry-result-" + "Jt63vBqH0e"}

                @tool("nothing")
                def nothing(ctx, payload):
                    return None
                """;
        project.push(Map.of("entry_point.py", code));
        PlaneClient client = project.client();
        String other = "other = 1\n";
        JsonNode ticket = client.post(
                        project.path() + "/uploads:sign?path=other.py",
                        Map.of(
                                "content_type",
                                "text/x-python",
                                "expected_version",
                                0,
                                "size_bytes",
                                other.length(),
                                "sha256",
                                Project.sha256(text(other))))
                .expect(200);
        String put = ticket.path("signed_url").asText();
        secrets.put("the signature of an upload", text(put.substring(put.indexOf("signature=") + 10)));
        keep(
                "an upload with another path",
                client.send("PUT", put.replace("other.py", "others.py"), other, "Content-Type", "text/x-python"));
        keep("an upload of something else", client.send("PUT", put, "something else", "Content-Type", "text/x-python"));
        keep("an upload's URL, got", client.send("GET", put, ""));
        keep("an upload", client.send("PUT", put, other, "Content-Type", "text/x-python"));
        client.post("/v1/uploads/" + ticket.path("upload_id").asText() + ":commit", "{}")
                .expect(200);
        keep("an upload again", client.send("PUT", put, other, "Content-Type", "text/x-python"));
        String get = client.post(project.path() + "/downloads:sign?path=other.py", "{}")
                .expect(200)
                .path("signed_url")
                .asText();
        secrets.put("the signature of a download", text(get.substring(get.indexOf("signature=") + 10)));
        keep("a download", client.send("GET", get, ""));
        keep("a download, changed", client.send("GET", get.replace("path=other", "path=others"), ""));
        client.delete(project.path() + "/files/other.py").expect(200);
    }

    private static byte[] key(String file) throws IOException {
        return HexFormat.of()
                .parseHex(Files.readString(plane.dataDirectory().resolve(file)).strip());
    }

    /** The same secret wherever a confused or careless client may put it. */
    private static void misplace(Project project, String name, String token) throws IOException {
        PlaneClient none = project.client().as("");
        PlaneClient bearer = project.client().as(token);
        PlaneClient good = project.client();
        String in64 = Base64.getEncoder().encodeToString(text(token + ":"));
        String inUrl = URLEncoder.encode(token, StandardCharsets.UTF_8);
        Map<String, Answer> all = new LinkedHashMap<>();
        all.put("bearer", bearer.get("/v1/auth/me"));
        all.put("bearer, refused", bearer.get("/v1/tenants/unknown"));
        all.put("api token", none.get("/v1/auth/me", "X-API-Token", token));
        all.put("two that differ", good.get("/v1/auth/me", "X-API-Token", token + "x"));
        all.put("basic", none.get("/v1/auth/me", "Authorization", "Basic " + in64));
        all.put("without a scheme", none.get("/v1/auth/me", "Authorization", token));
        all.put("request id", good.get("/v1/auth/me", "X-Request-Id", token));
        all.put("request id of a run", project.execute(Map.of("action", "describe"), "X-Request-Id", token));
        all.put(
                "trace",
                good.get("/v1/auth/me", "traceparent", token, "tracestate", "k=" + token, "baggage", "k=" + token));
        all.put(
                "other headers",
                good.get(
                        "/v1/auth/me",
                        "User-Agent",
                        token,
                        "Cookie",
                        "t=" + token,
                        "Referer",
                        token,
                        "X-Forwarded-For",
                        token,
                        "X-Forwarded-Host",
                        token,
                        "Accept",
                        "text/" + token,
                        "Idempotency-Key",
                        token));
        all.put("content type", good.send("POST", "/v1/workspaces", "{}", "Content-Type", "application/" + token));
        all.put("query", none.get("/v1/auth/me?token=" + inUrl + "&access_token=" + inUrl));
        all.put("cursor", good.get("/v1/tokens?cursor=" + inUrl + "&limit=" + inUrl));
        all.put("audit query", good.get("/v1/audit/events?principal=" + inUrl));
        all.put("audit cursor", good.get("/v1/audit/events?cursor=" + inUrl));
        all.put("executions by it", good.get(project.path() + "/executions?capability=" + inUrl + "&status=" + inUrl));
        all.put("path", good.get("/v1/" + token));
        all.put("workspace", good.get("/v1/workspaces/" + token + "/projects/" + token + "/executions"));
        all.put("token's id", good.delete("/v1/tokens/" + token));
        all.put("execution's id", good.get(project.path() + "/executions/" + token));
        all.put("capability", good.get(project.path() + "/capabilities/tool/" + token));
        all.put("environment", good.post(project.path() + "/environments/" + token + ":rollback", "{}"));
        all.put(
                "file name",
                good.post(
                        project.path() + "/uploads:sign?path=" + inUrl + ".py",
                        Map.of(
                                "content_type",
                                "text/x-python",
                                "expected_version",
                                0,
                                "size_bytes",
                                1,
                                "sha256",
                                "0".repeat(64))));
        all.put(
                "file type",
                good.post(
                        project.path() + "/uploads:sign?path=ok.py",
                        Map.of(
                                "content_type",
                                "text/" + token,
                                "expected_version",
                                0,
                                "size_bytes",
                                1,
                                "sha256",
                                "0".repeat(64))));
        all.put("file to delete", good.delete(project.path() + "/files/" + token));
        all.put("upload's id", good.post("/v1/uploads/" + token + ":commit", "{}"));
        all.put(
                "signature",
                good.get("/v1/signed/blobs/" + "0".repeat(64) + "?path=x&expires=99999999999&signature=" + inUrl));
        all.put("broken JSON", good.send("POST", "/v1/workspaces", "{\"token\": \"" + token + "\", "));
        all.put("a bare word", good.send("POST", "/v1/workspaces", token));
        all.put("no JSON, run", good.send("POST", project.path() + "/executions", "{" + token + "}"));
        all.put("member's name", good.post("/v1/workspaces", Map.of(token, 1)));
        all.put("wrong kind", good.post("/v1/workspaces", Map.of("slug", List.of(token), "name", "x")));
        all.put("slug", good.post("/v1/workspaces", Map.of("slug", token, "name", "x")));
        all.put("name", good.post("/v1/workspaces", Map.of("slug", "UPPER", "name", token)));
        all.put("name of a token", good.post("/v1/tokens", Map.of("name", token, "scopes", List.of("*"))));
        all.put("scope", good.post("/v1/tokens", Map.of("name", "x", "scopes", List.of(token))));
        all.put("role", good.post("/v1/tokens", Map.of("name", "x", "scopes", List.of("*"), "roles", List.of(token))));
        all.put("mail", good.post("/v1/principals", Map.of("kind", "user", "email", token + "@example.org")));
        all.put("action", project.execute(Map.of("action", token)));
        all.put("kind", project.execute(Map.of("action", "invoke", "kind", token, "handler", token)));
        all.put("handler", project.tool(token, Map.of()));
        all.put("snapshot", project.execute(Map.of("action", "describe", "snapshot", token)));
        all.put("environment of a run", project.execute(Map.of("action", "describe", "environment", token)));
        all.put("member of meta", project.execute(Map.of("action", "describe", "meta", Map.of(token, 1))));
        all.put(
                "request id in meta",
                project.execute(Map.of("action", "describe", "meta", Map.of("request_id", token))));
        all.put("trace id in meta", project.execute(Map.of("action", "describe", "meta", Map.of("trace_id", token))));
        all.put(
                "idempotency key in meta",
                project.execute(Map.of("action", "describe", "meta", Map.of("idempotency_key", token))));
        all.put("ctx", project.execute(Map.of("action", "describe", "ctx", Map.of("token", token, token, 1))));
        all.forEach((way, answer) -> keep(name + " as " + way, answer));
        for (String line : List.of(
                "GET /" + token + " HTTP/9.9\r\n\r\n",
                token + " / HTTP/1.1\r\nHost: x\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: x\r\n" + token + "\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: x\r\n" + token + ": \u0001\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: " + token + "\r\nContent-Length: " + token + "\r\n\r\n")) {
            answers.put(name + " in no HTTP " + answers.size(), raw(line));
        }
    }

    private static String raw(String request) throws IOException {
        URI base = plane.uri();
        try (Socket socket = new Socket(base.getHost(), base.getPort())) {
            socket.setSoTimeout(5_000);
            OutputStream out = socket.getOutputStream();
            out.write(request.getBytes(StandardCharsets.ISO_8859_1));
            out.flush();
            socket.shutdownOutput();
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.ISO_8859_1);
        }
    }

    private static void keep(String way, Answer answer) {
        answers.put(way, answer.headers().map() + "\n" + answer.text());
    }

    private static void run(Project project) {
        Map<String, String> event = Map.of("secret", "cnry-argument-5f0aW2pQ9");
        Answer answer = project.execute(Map.of(
                "action",
                "invoke",
                "kind",
                "tool",
                "handler",
                "use",
                "event",
                event,
                "ctx",
                Map.of("token", "cnry-context-8Zr41LmXw7", "workspace_id", "cnry-context-8Zr41LmXw7")));
        assertThat(answer.expect(200).at("/result/given/secret").asText()).isEqualTo("cnry-argument-5f0aW2pQ9");
        project.auditOf(answer.executionId(), records -> records.size() >= 4, LIMIT);
    }

    /** An execution that may ask the plane and does; its token is put in wrong places too, and looked for, before it ends. */
    private static void hold(Project project) throws Exception {
        Project inside = plane.newProject("secrets-inside");
        inside.client()
                .send("PUT", inside.path() + "/settings", "{\"worker_api\": true}")
                .expect(200);
        inside.push(Map.of("entry_point.py", HOLDING));
        String threads = inside.path() + "/memory/thread/";
        try (ExecutorService callers = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<Answer> running = callers.submit(() -> inside.execute(Project.longRequest("hold", Map.of())));
            try {
                String backwards = Waiting.until(
                        LIMIT,
                        () -> inside.client()
                                .get(threads + "held/messages")
                                .json()
                                .at("/messages/0/content")
                                .asText(),
                        text -> !text.isEmpty(),
                        "the token of the running execution");
                String token = new StringBuilder(backwards).reverse().toString();
                assertThat(token).startsWith("aielp_exe_");
                secrets.put(EXECUTIONS_TOKEN, text(token));
                misplace(project, EXECUTIONS_TOKEN, token);
                lookWhileItRuns();
            } finally {
                inside.client()
                        .post(
                                threads + "release/messages:append",
                                Map.of("messages", List.of(Map.of("role", "human", "content", "now"))));
            }
            Answer answer = running.get();
            assertThat(answer.expect(200).path("result").asText())
                    .as("it ran until then: %s", answer)
                    .isEqualTo("released");
            keep("an execution that held its token", answer);
        }
    }

    private static void lookWhileItRuns() throws IOException {
        SecretSearch forIt =
                new SecretSearch(Map.of(EXECUTIONS_TOKEN, Objects.requireNonNull(secrets.get(EXECUTIONS_TOKEN))));
        whileItRan.addAll(forIt.in("output", plane.printed()));
        whileItRan.addAll(forIt.below(plane.dataDirectory()));
        whileItRan.addAll(besideMemory(forIt));
        if (HostProcess.mayReadMemory()) {
            for (HostProcess process : processes()) {
                if (process.name().startsWith("python")
                        && !forIt.in("memory", process.memoryBytes()).isEmpty()) {
                    holders.put(
                            process.pid(),
                            ProcessHandle.of(process.pid())
                                    .map(handle -> handle.children().findAny().isPresent())
                                    .orElse(false));
                }
            }
        }
    }

    /** Nobody answers at the host: it is signed, tried, and what went wrong is noted. */
    private static void callBack(Project project) throws IOException {
        PlaneClient client = project.client();
        String secret = client.post(project.path() + "/callback-secrets", "")
                .expect(201)
                .path("secret")
                .asText();
        assertThat(secret).startsWith("whsec_");
        secrets.put("a callbacks' secret", text(secret));
        secrets.put("the key in a callbacks' secret", Base64.getDecoder().decode(secret.substring("whsec_".length())));
        for (String line : List.of("GET /" + secret + " HTTP/9.9\r\n\r\n", secret + " / HTTP/1.1\r\nHost: x\r\n\r\n")) {
            answers.put("a callbacks' secret in no HTTP " + answers.size(), raw(line));
        }
        keep("callbacks' secrets", client.get(project.path() + "/callback-secrets"));
        String id = project.execute(
                        Map.of(
                                "action",
                                "invoke",
                                "kind",
                                "tool",
                                "handler",
                                "nothing",
                                "event",
                                Map.of(),
                                "meta",
                                Map.of("callback", Map.of("url", "https://hooks.example.com/ended"))),
                        "Prefer",
                        "respond-async")
                .expect(202)
                .path("execution_id")
                .asText();
        Waiting.until(
                LIMIT,
                () -> project.execution(id).path("callback"),
                callback -> !callback.path("last_error").asText("").isEmpty(),
                "a callback that was tried");
        keep("an execution that calls back", client.get(project.path() + "/executions/" + id));
    }

    private static byte[] text(String secret) {
        return secret.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void findsEachOfThemWhereItBelongs() {
        Path data = plane.dataDirectory();
        List<Finding> kept = search.below(data);

        assertThat(kept)
                .as("the search itself works on this plane's files")
                .anySatisfy(finding -> assertThat(finding.place()).isEqualTo("dev-token"))
                .anySatisfy(finding -> assertThat(finding.place()).isEqualTo("signing-key"))
                .anySatisfy(finding -> assertThat(finding.place()).isEqualTo("postgres/credentials.properties"));
        assertThat(PRIVATE)
                .allSatisfy(file -> assertThat(Files.getPosixFilePermissions(data.resolve(file)))
                        .as("permissions of %s", file)
                        .containsExactlyInAnyOrder(
                                java.nio.file.attribute.PosixFilePermission.OWNER_READ,
                                java.nio.file.attribute.PosixFilePermission.OWNER_WRITE));
    }

    @Test
    void leavesNoneInTheLogAndTheOutput() {
        List<Finding> found = new ArrayList<>(search.in("output", plane.printed()));
        found.addAll(search.below(plane.dataDirectory().resolve("logs")));

        assertThat(found).isEmpty();
    }

    @Test
    void leavesNoneInKafka() {
        List<byte[]> messages = stores.messages();
        List<Finding> found = new ArrayList<>();
        messages.forEach(message -> found.addAll(search.in("a message", message)));

        assertThat(messages).hasSizeGreaterThan(20);
        assertThat(found).isEmpty();
    }

    @Test
    void leavesNoneInADumpOfTheDatabase() {
        Map<String, String> dump = Waiting.until(LIMIT, stores::dump, tables -> !tables.isEmpty(), "a dump");
        List<Finding> found = new ArrayList<>();
        dump.forEach((table, rows) -> found.addAll(search.in(table, rows)));

        assertThat(dump).containsKeys(EmbeddedStores.tablesExpected().toArray(String[]::new));
        assertThat(found).isEmpty();
    }

    @Test
    void leavesNoneInTheDataFolder() {
        List<Finding> found = search.below(plane.dataDirectory()).stream()
                .filter(finding -> !PRIVATE.contains(finding.place()))
                .toList();

        assertThat(found).isEmpty();
    }

    @Test
    void repeatsNoneInAnswers() {
        List<Finding> found = new ArrayList<>();
        answers.forEach((way, answer) -> found.addAll(search.in(way, answer)));

        assertThat(answers).hasSizeGreaterThan(200);
        assertThat(found).isEmpty();
    }

    /** Its worker has it, as code asks with it. No file, command line, environment and other Python process has; and afterwards nothing. */
    @Test
    void leavesTheTokenOfARunningExecutionToItsWorkerAlone() {
        assertThat(whileItRan).isEmpty();
        Assumptions.assumeTrue(HostProcess.mayReadMemory(), "other users' memory can be read by root only");
        assertThat(holders)
                .as(
                        "processes with it in their memory: the worker, and neither launcher nor zygote, which have children")
                .hasSize(1)
                .doesNotContainValue(true);
    }

    @Test
    void showsNoneInCommandLinesEnvironmentsAndOpenFiles() {
        List<Finding> found = besideMemory(search);

        assertThat(processes())
                .as("server, PostgreSQL, Kafka, launcher, zygote")
                .hasSizeGreaterThan(4);
        assertThat(found).isEmpty();
    }

    /** What command lines, environments and open files of the plane's processes hold of these. */
    private static List<Finding> besideMemory(SecretSearch wanted) {
        List<Finding> found = new ArrayList<>();
        for (HostProcess process : processes()) {
            String name = process.name() + " " + process.pid();
            found.addAll(wanted.in("command line of " + name, process.commandLine()));
            found.addAll(wanted.in("environment of " + name, process.environment()));
            for (Path file : process.openFiles()) {
                String named = HostProcess.named(file);
                if (!named.startsWith(plane.dataDirectory().toString())
                        && !named.endsWith(".jar")
                        && !named.contains("/lib/")
                        && Files.isReadable(file)) {
                    try (InputStream stream = Files.newInputStream(file)) {
                        found.addAll(wanted.in("open file " + named + " of " + name, stream));
                    } catch (IOException e) {
                        // The kernel's own, such as an event queue, or gone meanwhile.
                    }
                }
            }
        }
        return found;
    }

    private static List<HostProcess> processes() {
        List<HostProcess> all =
                new ArrayList<>(List.of(new HostProcess(plane.process().pid())));
        plane.descendants().forEach(process -> all.add(new HostProcess(process.pid())));
        return all;
    }

    /**
     * Launcher, sweeper, zygote and workers are all forks of one Python; arguments and the token of an execution belong into the worker that
     * got them, whose memory is not wiped when the execution ends.
     */
    @Test
    void keepsAllOfThemFromTheMemoryOfZygoteAndWorkers() throws IOException {
        Assumptions.assumeTrue(HostProcess.mayReadMemory(), "other users' memory can be read by root only");
        List<Finding> found = new ArrayList<>();
        Map<String, byte[]> nonces = new TreeMap<>();
        Pattern nonce = Pattern.compile("\"nonce\": ?\"([0-9a-f]{48})\"");
        int seen = 0;
        for (HostProcess process : processes()) {
            if (!process.name().startsWith("python")) {
                continue;
            }
            seen++;
            byte[] memory = process.memoryBytes();
            search.in("memory of " + process.name() + " " + process.pid(), memory).stream()
                    .filter(finding -> !finding.secret().startsWith("a caller's argument")
                            && !finding.secret().equals("a result")
                            && !(finding.secret().equals(EXECUTIONS_TOKEN) && holders.containsKey(process.pid())))
                    .forEach(found::add);
            Matcher matcher = nonce.matcher(new String(memory, StandardCharsets.ISO_8859_1));
            while (matcher.find()) {
                nonces.put("nonce " + nonces.size(), text(matcher.group(1)));
            }
        }

        assertThat(seen).as("launcher, zygote, a worker").isGreaterThanOrEqualTo(3);
        assertThat(found).isEmpty();
        SecretSearch forNonces = new SecretSearch(nonces);
        assertThat(forNonces.in("output", plane.printed())).isEmpty();
        assertThat(forNonces.below(plane.dataDirectory()))
                .as("what workers identify themselves with")
                .isEmpty();
    }
}
