package io.aiel.plane.gateway.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MemoryReaderTest {
    private static final MemorySettings.Sizes SIZES = new MemorySettings.Sizes(20, 30, 40, 50, 1_000);

    private static JsonNode json(String text) {
        try {
            return new ObjectMapper().readTree(text);
        } catch (JsonProcessingException e) {
            throw new AssertionError(text, e);
        }
    }

    private static MemoryReader reader(String text) {
        return new MemoryReader(json(text), SIZES);
    }

    private static void assertRead(
            boolean valid, String pointer, String body, Function<MemoryReader, MemoryRequest> read) {
        if (valid) {
            assertThat(read.apply(reader(body))).isNotNull();
            return;
        }
        Refusal refusal = catchThrowableOfType(Refusal.class, () -> read.apply(reader(body)));
        assertThat(refusal).as(body).isNotNull();
        assertThat(refusal.code()).isEqualTo(ErrorCode.VALIDATION_ERROR);
        assertThat(String.valueOf(refusal.details().get("errors"))).contains("pointer=" + pointer + ",");
    }

    private static String messages(int count, String content) {
        return "{\"messages\": ["
                + String.join(",", Collections.nCopies(count, "{\"role\": \"tool\", \"content\": \"" + content + "\"}"))
                + "]}";
    }

    @ParameterizedTest
    @CsvSource({"0, false", "1, true", "99, true", "100, true", "101, false"})
    void takes1To100Messages(int count, boolean valid) {
        assertRead(valid, "/messages", messages(count, "m"), MemoryReader::append);
    }

    /** Characters, as Python counts them: one emoji is one. */
    @ParameterizedTest
    @CsvSource({"0, false", "1, true", "19999, true", "20000, true", "20001, false"})
    void takesContentsOf1To20000Characters(int characters, boolean valid) {
        assertRead(valid, "/messages/0/content", messages(1, "😀".repeat(characters)), MemoryReader::append);
    }

    @ParameterizedTest
    @CsvSource({
        "59, false",
        "60, true",
        "61, true",
        "31535999, true",
        "31536000, true",
        "31536001, false",
        "60.0, false",
        "'\"60\"', false",
        "null, true",
        "-1, false",
        "1e400, false",
        "99999999999999999999, false"
    })
    void takesTimesToLiveOf60SecondsToAYear(String ttl, boolean valid) {
        String member = "\"ttl_seconds\": " + ttl + "}";
        assertRead(valid, "/ttl_seconds", "{\"patch\": {}, " + member, MemoryReader::patch);
        assertRead(valid, "/ttl_seconds", "{\"state\": {}, " + member, MemoryReader::checkpoint);
        assertRead(
                valid,
                "/ttl_seconds",
                "{\"messages\": [{\"role\": \"ai\", \"content\": \"m\"}], " + member,
                MemoryReader::append);
        assertRead(valid, "/ttl_seconds", "{\"namespace\": [\"n\"], \"key\": \"k\", " + member, MemoryReader::put);
    }

    @ParameterizedTest
    @CsvSource({"0, false", "1, true", "15, true", "16, true", "17, false"})
    void takesNamespacesOf1To16Names(int names, boolean valid) {
        String namespace = String.join(",", Collections.nCopies(names, "\"n\""));
        String body = "{\"namespace\": [" + namespace + "]";
        assertRead(valid, "/namespace", body + ", \"key\": \"k\"}", MemoryReader::put);
        assertRead(valid, "/namespace", body + ", \"key\": \"k\"}", MemoryReader::address);
        // None is everywhere: the SDK's LangGraph store asks so. Nothing is written or forgotten everywhere.
        assertRead(valid || names == 0, "/namespace", body + "}", MemoryReader::search);
        assertRead(valid, "/namespace", body + ", \"selector\": {\"key\": \"k\"}}", MemoryReader::forget);
    }

    @ParameterizedTest
    @CsvSource({"0, false", "1, true", "255, true", "256, true", "257, false"})
    void takesKeysOf1To256Characters(int characters, boolean valid) {
        String body = "{\"namespace\": [\"n\"], \"key\": \"" + "😀".repeat(characters) + "\"}";
        assertRead(valid, "/key", body, MemoryReader::put);
        assertRead(valid, "/key", body, MemoryReader::address);
    }

    @ParameterizedTest
    @CsvSource({"0, false", "1, true", "199, true", "200, true", "201, false"})
    void takesSearchesFor1To200(int limit, boolean valid) {
        assertRead(valid, "/limit", "{\"namespace\": [\"n\"], \"limit\": " + limit + "}", MemoryReader::search);
    }

    @ParameterizedTest
    @CsvSource({"-1, true", "0, true", "1, false"})
    void holdsEachThingToItsBytes(int beyond, boolean fits) {
        // Two bytes each, so that it is not characters that are counted.
        assertSize(
                fits,
                SIZES.metaBytesMax() + beyond,
                at -> reader("{\"messages\": [{\"role\": \"ai\", \"content\": \"m\", \"meta\": " + at + "}]}")
                        .append());
        assertSize(
                fits,
                SIZES.stateBytesMax() + beyond,
                at -> reader("{\"patch\": " + at + "}").patch());
        assertSize(
                fits,
                SIZES.checkpointBytesMax() + beyond - 2,
                at -> reader("{\"state\": " + at + ", \"metadata\": {}}").checkpoint());
        assertSize(
                fits,
                SIZES.itemBytesMax() + beyond - 2,
                at -> reader("{\"namespace\": [\"n\"], \"key\": \"k\", \"value\": " + at + "}")
                        .put());
    }

    private static void assertSize(boolean fits, int bytes, Function<String, MemoryRequest> read) {
        String padding = bytes % 2 == 0 ? "" : "x";
        String object = "{\"k\":\"" + "é".repeat((bytes - 8) / 2) + padding + "\"}";
        assertThat(Sizes.of(object)).isEqualTo(bytes);
        if (fits) {
            assertThat(read.apply(object)).isNotNull();
        } else {
            Refusal refusal = catchThrowableOfType(Refusal.class, () -> read.apply(object));
            assertThat(refusal).isNotNull();
            assertThat(refusal.code()).isEqualTo(ErrorCode.PAYLOAD_TOO_LARGE);
            assertThat(refusal.details()).containsKey("bytes_max");
        }
    }

    @Test
    void refusesWhatCannotBeMeantAndNamesIt() {
        Function<MemoryReader, MemoryRequest> append = MemoryReader::append;
        Map<String, List<String>> appends = Map.of(
                "/messages", List.of("{}", "{\"messages\": {}}", "{\"messages\": null}"),
                "/messages/0", List.of("{\"messages\": [1]}"),
                "/messages/0/role",
                        List.of(
                                "{\"messages\": [{\"role\": \"user\", \"content\": \"m\"}]}",
                                "{\"messages\": [{\"content\": \"m\"}]}"),
                "/messages/0/meta", List.of("{\"messages\": [{\"role\": \"ai\", \"content\": \"m\", \"meta\": []}]}"),
                "/messages/0/ts", List.of("{\"messages\": [{\"role\": \"ai\", \"content\": \"m\", \"ts\": 1}]}"),
                "/messages/0/x~1y", List.of("{\"messages\": [{\"role\": \"ai\", \"content\": \"m\", \"x/y\": 1}]}"),
                "/scope", List.of("{\"scope\": \"me\", \"messages\": [{\"role\": \"ai\", \"content\": \"m\"}]}"),
                "/scope/user_id",
                        List.of(
                                "{\"scope\": {\"user_id\": 7}, \"messages\": [{\"role\": \"ai\", \"content\": \"m\"}]}"));
        appends.forEach((pointer, bodies) -> bodies.forEach(body -> assertRead(false, pointer, body, append)));
        assertRead(false, "/patch", "{\"patch\": [1]}", MemoryReader::patch);
        assertRead(false, "/unknown", "{\"patch\": {}, \"unknown\": 1}", MemoryReader::patch);
        assertRead(false, "/metadata", "{\"metadata\": \"x\"}", MemoryReader::checkpoint);
        assertRead(false, "/namespace/1", "{\"namespace\": [\"a\", 1]}", MemoryReader::search);
        assertRead(false, "/query", "{\"namespace\": [\"a\"], \"query\": \"text\"}", MemoryReader::search);
        assertRead(false, "/query/type", "{\"namespace\": [\"a\"], \"query\": {\"type\": 1}}", MemoryReader::search);
        for (String selector :
                List.of("{}", "{\"keys\": [\"a\"], \"tags\": {\"a\": 1}}", "{\"key\": \"a\", \"keys\": [\"a\"]}")) {
            assertRead(
                    false,
                    "/selector",
                    "{\"namespace\": [\"a\"], \"selector\": " + selector + "}",
                    MemoryReader::forget);
        }
        assertRead(
                false,
                "/selector/tags",
                "{\"namespace\": [\"a\"], \"selector\": {\"tags\": {}}}",
                MemoryReader::forget);
        for (String body : List.of("[]", "1", "null")) {
            assertThatThrownBy(() -> reader(body))
                    .isInstanceOfSatisfying(
                            Refusal.class,
                            refusal -> assertThat(refusal.code()).isEqualTo(ErrorCode.MALFORMED_REQUEST));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"1", "{}", "[]", "[0, 0]", "[1, \"2\"]", "[1, null]", "[[1]]", "[1e400]", "[true]", "\"[1]\""})
    void refusesWhatIsNoVectorWhereOneIsMeant(String vector) {
        assertRead(
                false,
                "/query/vector",
                "{\"namespace\": [\"n\"], \"query\": {\"vector\": " + vector + "}}",
                MemoryReader::search);
        assertRead(
                false,
                "/embedding",
                "{\"namespace\": [\"n\"], \"key\": \"k\", \"embedding\": " + vector + "}",
                MemoryReader::put);
    }

    @ParameterizedTest
    @CsvSource({"1, true", "4096, true", "4097, false"})
    void takesVectorsOf1To4096Dimensions(int dimensions, boolean valid) {
        String vector = Collections.nCopies(dimensions, 0.5).toString();
        assertRead(
                valid,
                "/query/vector",
                "{\"namespace\": [\"n\"], \"query\": {\"vector\": " + vector + "}}",
                MemoryReader::search);
        assertRead(
                valid,
                "/embedding",
                "{\"namespace\": [\"n\"], \"key\": \"k\", \"embedding\": " + vector + "}",
                MemoryReader::put);
    }

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '`',
            value = {
                "/patch/a,{\"a\": \"x\\u0000y\"}",
                "/patch/a/1/b,{\"a\": [1; {\"b\": \"\\ud800\"}]}",
                "/patch/a,{\"a\": \"\\udc00\\ud800\"}",
                "/patch,{\"a\\u0000\": 1}",
                "/patch/a,{\"a\": {\"\\udfff\": 1}}",
                "/patch/a,{\"a\": 1e400}",
                "/patch/a/0,{\"a\": [-1e400]}",
            })
    void refusesTextAndNumbersThatCannotBeKept(String pointer, String patch) {
        assertRead(false, pointer, "{\"patch\": " + patch.replace(';', ',') + "}", MemoryReader::patch);
    }

    /** Seen to fail with records that show their components. */
    @Test
    void showsNothingOfWhatItRead() {
        String secret = "s3cret";
        String text = reader(
                                "{\"scope\": {\"user_id\": \"s3cret\"}, \"messages\": [{\"role\": \"ai\", \"content\": \"s3cret\","
                                        + " \"ts\": \"s3cret\", \"meta\": {\"k\": \"s3cret\"}}]}")
                        .append()
                + reader("{\"patch\": {\"a\": \"s3cret\"}}").patch().toString()
                + reader("{\"state\": {\"a\": \"s3cret\"}}").checkpoint()
                + reader("{\"namespace\": [\"s3cret\"], \"key\": \"s3cret\", \"value\": {\"a\": \"s3cret\"}}")
                        .put()
                + reader("{\"namespace\": [\"s3cret\"], \"key\": \"s3cret\"}").address()
                + reader("{\"namespace\": [\"s3cret\"], \"query\": {\"text\": \"s3cret\"}}")
                        .search()
                + reader("{\"namespace\": [\"n\"], \"selector\": {\"keys\": [\"s3cret\"]}}")
                        .forget();

        assertThat(text).doesNotContain(secret);
    }
}
