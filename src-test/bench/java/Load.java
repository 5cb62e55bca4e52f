import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpClient;
import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpClientResponse;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.http.HttpVersion;
import io.vertx.core.http.RequestOptions;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;

/**
 * The load generator, the same for every row. Reads one run per line of standard input, answers one line of JSON each. All
 * connections of a run are on one event loop, so that it costs one thread; its own cost is the row "null".
 *
 * <p>Closed loop ({@code rate} 0): each connection sends its next request when its last answer is there. Open loop: requests are
 * due at a fixed rate and their latency counts from when they were due, also while all connections are busy.
 *
 * <p>Every answer is checked: its status (200 unless the request says another) and the text that the request says ({@code ${sum}} is the
 * sum of {@code ${a}} and {@code ${b}}), blanks aside. Wrong ones are errors and not in the histogram.
 *
 * <p>A request may have {@code until}, a text: its latency counts to the moment at which the answer so far contains it. And it may have
 * {@code again_ms}: answers of status 429 are then counted apart ({@code put_off}) and their connection sends its next request after so long.
 * And it may have {@code grpc}: then its body is the input of {@code ExecutionService.Invoke} of aiel.plane.v1, sent over HTTP/2; the result comes as
 * the JSON that the code gave, and the right status is gRPC's 0.
 */
public final class Load {
    private static final int DRAIN_SECONDS_MAX = 60;
    private static final long HIGHEST_NANOS = 120_000_000_000L;

    private Load() {}

    /** One kind of request. */
    private static final class Kind {
        final String label;
        final int share;
        final RequestOptions options;
        final String body;
        final String expect;
        final int bytesMin;
        final int status;
        final String until;
        final int againMs;
        final JsonObject grpc;
        final Histogram histogram = new Histogram(HIGHEST_NANOS, 3);

        Kind(JsonObject json) {
            URI uri = URI.create(json.getString("url"));
            label = json.getString("label", "all");
            share = json.getInteger("share", 1);
            body = json.getString("body");
            expect = json.getString("expect");
            bytesMin = json.getInteger("bytes_min", 0);
            status = json.getInteger("status", 200);
            until = json.getString("until", "");
            againMs = json.getInteger("again_ms", 0);
            grpc = json.getJsonObject("grpc");
            options = new RequestOptions()
                    .setMethod(HttpMethod.valueOf(json.getString("method", "POST")))
                    .setHost(uri.getHost())
                    .setPort(uri.getPort())
                    .setURI(uri.getRawPath() + (uri.getRawQuery() == null ? "" : "?" + uri.getRawQuery()));
            options.putHeader("Content-Type", "application/json");
            json.getJsonObject("headers", new JsonObject()).forEach(h -> options.putHeader(h.getKey(), (String) h.getValue()));
        }
    }

    /** One answer, and the moment at which it counts. */
    private record Answer(int status, Buffer body, long counts) {}

    /** As much of gRPC (and of protobuf) as one call needs, so that the generator needs nothing that the server may not have. */
    private static final class Grpc {
        private static final int INPUT_JSON = 6;

        private Grpc() {}

        /** An {@code InvokeRequest} of kind tool with the fields of that object: workspace, project, name. */
        static Buffer message(JsonObject call, String input) {
            Buffer message = Buffer.buffer();
            bytes(message, 1, call.getString("workspace"));
            bytes(message, 2, call.getString("project"));
            message.appendByte((byte) (3 << 3)).appendByte((byte) 1);
            bytes(message, 4, call.getString("name"));
            bytes(message, INPUT_JSON, input);
            return Buffer.buffer().appendByte((byte) 0).appendInt(message.length()).appendBuffer(message);
        }

        private static void bytes(Buffer to, int field, String text) {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            to.appendByte((byte) (field << 3 | 2));
            int left = bytes.length;
            for (; left > 127; left >>>= 7) {
                to.appendByte((byte) (left & 127 | 128));
            }
            to.appendByte((byte) left).appendBytes(bytes);
        }

        /** The status is in the trailers, or in the headers of an answer that has nothing else. */
        static Future<Answer> read(HttpClientResponse response) {
            return response.body().map(body -> {
                String status = response.trailers().get("grpc-status");
                boolean well = response.statusCode() == 200 && "0".equals(status);
                String said = status + " " + response.trailers().get("grpc-message") + " "
                        + response.getHeader("grpc-status") + " " + response.getHeader("grpc-message");
                return new Answer(well ? 200 : -1, well ? body : Buffer.buffer(said), System.nanoTime());
            });
        }
    }

    private static final class Run {
        final HttpClient client;
        final HttpClient http2;
        final List<Kind> kinds = new ArrayList<>();
        final int connections;
        final double rate;
        final long begin = System.nanoTime();
        final long end;
        final Histogram all = new Histogram(HIGHEST_NANOS, 3);
        final CountDownLatch done = new CountDownLatch(1);
        final List<String> problems = new ArrayList<>();
        final ArrayDeque<Long> due = new ArrayDeque<>();
        long within;
        long completed;
        long errors;
        long putOff;
        long issued;
        long scheduled;
        int busy;

        final Vertx vertx;

        Run(Vertx vertx, JsonObject json) {
            this.vertx = vertx;
            connections = json.getInteger("connections");
            rate = json.getDouble("rate", 0.0);
            end = begin + (long) (json.getDouble("seconds") * 1e9);
            for (Object kind : json.getJsonArray("requests")) {
                Kind made = new Kind((JsonObject) kind);
                // Shares are interleaved by a counter: 9 and 1 give nine of the one, then one of the other.
                for (int i = 0; i < made.share; i++) {
                    kinds.add(made);
                }
            }
            client = vertx.createHttpClient(new HttpClientOptions()
                    .setMaxPoolSize(connections)
                    .setKeepAlive(true)
                    .setKeepAliveTimeout(600)
                    .setPipelining(false)
                    .setTcpNoDelay(true)
                    .setConnectTimeout(10_000));
            http2 = vertx.createHttpClient(new HttpClientOptions()
                    .setProtocolVersion(HttpVersion.HTTP_2)
                    .setHttp2ClearTextUpgrade(false)
                    .setHttp2MaxPoolSize(connections)
                    .setHttp2MultiplexingLimit(1)
                    .setTcpNoDelay(true)
                    .setConnectTimeout(10_000));
        }

        void start(Vertx vertx) {
            if (rate > 0) {
                vertx.setPeriodic(1, timer -> {
                    long now = Math.min(System.nanoTime(), end);
                    long wanted = (long) ((now - begin) / 1e9 * rate);
                    for (; scheduled < wanted; scheduled++) {
                        // When it was wanted, not when the one before it was.
                        due.add(begin + (long) ((scheduled + 1) / rate * 1e9));
                    }
                    while (busy < connections && !due.isEmpty()) {
                        issue(due.poll());
                    }
                    if (now >= end) {
                        vertx.cancelTimer(timer);
                        finishWhenIdle();
                    }
                });
            } else {
                for (int i = 0; i < connections; i++) {
                    issue(System.nanoTime());
                }
            }
        }

        void issue(long since) {
            busy++;
            Kind kind = kinds.get((int) (issued % kinds.size()));
            long a = issued % 1000;
            long b = 7 * issued % 1009;
            issued++;
            String sum = Long.toString(a + b);
            String text = kind.body.indexOf('$') < 0
                    ? kind.body
                    : kind.body.replace("${a}", Long.toString(a)).replace("${b}", Long.toString(b));
            (kind.grpc == null ? client : http2)
                    .request(kind.options)
                    .compose(request -> text.isEmpty()
                            ? request.send()
                            : request.send(kind.grpc == null ? Buffer.buffer(text) : Grpc.message(kind.grpc, text)))
                    .compose(response -> kind.grpc != null ? Grpc.read(response) : read(kind, response))
                    .onComplete(result -> {
                        long now = System.nanoTime();
                        if (result.succeeded() && result.result().status == 429 && kind.againMs > 0) {
                            putOff++;
                            // It stays busy meanwhile: nobody else sends on its connection.
                            vertx.setTimer(kind.againMs, timer -> {
                                busy--;
                                next(System.nanoTime());
                            });
                            return;
                        }
                        busy--;
                        String problem = result.succeeded()
                                ? problemOf(kind, result.result(), sum)
                                : String.valueOf(result.cause());
                        if (problem.isEmpty()) {
                            completed++;
                            within += now <= end ? 1 : 0;
                            long took = Math.min(result.result().counts - since, HIGHEST_NANOS);
                            all.recordValue(took);
                            kind.histogram.recordValue(took);
                        } else {
                            errors++;
                            if (problems.size() < 5) {
                                problems.add(problem);
                            }
                        }
                        next(now);
                    });
        }

        private static Future<Answer> read(Kind kind, HttpClientResponse response) {
            return kind.until.isEmpty()
                    ? response.body().map(body -> new Answer(response.statusCode(), body, System.nanoTime()))
                    : watched(response, kind.until);
        }

        /** Reads the answer as it comes, and notes when what counts of it was there. */
        private static Future<Answer> watched(HttpClientResponse response, String until) {
            Buffer body = Buffer.buffer();
            long[] counts = {0};
            response.handler(some -> {
                body.appendBuffer(some);
                if (counts[0] == 0 && body.toString().contains(until)) {
                    counts[0] = System.nanoTime();
                }
            });
            // An answer without it fails by what is expected of it.
            return response.end()
                    .map(_ -> new Answer(
                            counts[0] == 0 ? -1 : response.statusCode(), body, counts[0]));
        }

        void next(long now) {
            if (rate > 0) {
                if (!due.isEmpty()) {
                    issue(due.poll());
                } else if (now >= end) {
                    finishWhenIdle();
                }
            } else if (now < end && errors < 1000) {
                issue(now);
            } else {
                finishWhenIdle();
            }
        }

        void finishWhenIdle() {
            if (busy == 0 && due.isEmpty()) {
                done.countDown();
            }
        }

        static String problemOf(Kind kind, Answer answer, String sum) {
            Buffer body = answer.body;
            boolean right = answer.status == kind.status
                    && body.length() >= kind.bytesMin
                    && (kind.expect.isEmpty()
                            || body.toString().replace(" ", "").contains(kind.expect.replace("${sum}", sum)));
            return right ? "" : "status " + answer.status + ", wanted " + kind.expect.replace("${sum}", sum) + " in "
                    + body.getString(0, Math.min(body.length(), 600));
        }
    }

    /** Runs until standard input ends. */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        Vertx vertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(1).setWorkerPoolSize(1).setInternalBlockingPoolSize(1));
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            Run run = new Run(vertx, new JsonObject(line));
            vertx.runOnContext(_ -> run.start(vertx));
            boolean ended = run.done.await(
                    TimeUnit.NANOSECONDS.toSeconds(run.end - run.begin) + DRAIN_SECONDS_MAX, TimeUnit.SECONDS);
            CountDownLatch told = new CountDownLatch(1);
            vertx.runOnContext(_ -> {
                System.out.println(answer(run, ended).encode());
                told.countDown();
            });
            told.await();
            run.client.close();
            run.http2.close();
        }
        vertx.close();
    }

    private static JsonObject answer(Run run, boolean ended) {
        JsonObject kinds = new JsonObject();
        run.kinds.stream().distinct().forEach(kind -> {
            if (run.kinds.get(0) != run.kinds.get(run.kinds.size() - 1)) {
                kinds.put(kind.label, figures(kind.histogram));
            }
        });
        return figures(run.all)
                .put("ended", ended)
                .put("completed", run.completed)
                .put("put_off", run.putOff)
                .put("errors", run.errors)
                .put("problems", new JsonArray(run.problems))
                .put("per_second", run.within / ((run.end - run.begin) / 1e9))
                .put("kinds", kinds);
    }

    private static JsonObject figures(Histogram histogram) {
        return new JsonObject()
                .put("count", histogram.getTotalCount())
                .put("p50_ms", histogram.getValueAtPercentile(50) / 1e6)
                .put("p90_ms", histogram.getValueAtPercentile(90) / 1e6)
                .put("p99_ms", histogram.getValueAtPercentile(99) / 1e6)
                .put("p999_ms", histogram.getValueAtPercentile(99.9) / 1e6)
                .put("max_ms", histogram.getMaxValue() / 1e6)
                .put("mean_ms", histogram.getMean() / 1e6);
    }
}
