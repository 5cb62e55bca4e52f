package io.aiel.plane.gateway.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.vocabulary.ProjectScope;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Recall by vector, on a real PostgreSQL. */
class MemoryVectorsTest extends MemoryOnPostgres {
    private static final long SEED = 20_261_127;
    private static final MemorySettings ROOMY = new MemorySettings(
            new MemorySettings.Project(1_000, 1_000, 1_000, 1L << 30),
            new MemorySettings.Sizes(16_384, 1 << 20, 4 << 20, 1 << 18, 8 << 20),
            8,
            1_000,
            1_000,
            10_000,
            LIMIT);

    private final ProjectScope scope = newProject();
    private final Memory memory = memory(ROOMY);

    private JsonNode put(String namespace, String key, String more) {
        clock.move(Duration.ofMillis(1));
        return answer(
                memory.put(scope, json("{\"namespace\": " + namespace + ", \"key\": \"" + key + "\", " + more + "}")));
    }

    private JsonNode putVector(String namespace, String key, String vector) {
        return put(namespace, key, "\"value\": {\"text\": \"of " + key + "\", \"embedding\": " + vector + "}");
    }

    private JsonNode search(Memory by, String query, int limit) {
        return answer(
                by.search(scope, json("{\"namespace\": [\"n\"], \"query\": " + query + ", \"limit\": " + limit + "}")));
    }

    private static List<String> keys(JsonNode answer) {
        return answer.path("items")
                .valueStream()
                .map(item -> item.path("key").asText())
                .toList();
    }

    private List<String> found(String query) {
        return keys(search(memory, query, 20));
    }

    @Test
    void findsTheNearestFirstWithTheirScores() {
        assertThat(putVector("[\"n\"]", "east", "[2, 0]")
                        .path("embedding_dimensions")
                        .asInt())
                .isEqualTo(2);
        putVector("[\"n\", \"inner\"]", "north-east", "[1.5, 1.5]");
        put("[\"n\"]", "north", "\"value\": {\"text\": \"its vector is not given back\"}, \"embedding\": [0, 1e-9]");
        putVector("[\"n\"]", "west", "[-1, 0]");
        put("[\"n\"]", "none", "\"value\": {\"text\": \"has none\"}");

        JsonNode answer = search(memory, "{\"vector\": [10, 0.0]}", 3);

        assertThat(keys(answer)).containsExactly("east", "north-east", "north");
        List<Double> scores = answer.path("items")
                .valueStream()
                .map(item -> item.path("score").asDouble())
                .toList();
        assertThat(scores.get(0)).isEqualTo(1.0);
        assertThat(scores.get(1)).isCloseTo(Math.sqrt(0.5), within(1e-6));
        assertThat(scores.get(2)).isZero();
        assertThat(answer.path("items").get(0).path("value").toString())
                .isEqualTo("{\"text\":\"of east\",\"embedding\":[2,0]}");
        assertThat(answer.path("items").get(2).path("value").has("embedding")).isFalse();
        ((ObjectNode) answer).remove("items");
        assertThat(answer).isEqualTo(json("""
                {"search_mode": "exact", "compared": 4, "complete": true, "other_dimensions": 0}"""));
    }

    @Test
    void isHeldToNamespaceTagsKeysAndText() {
        String near = "\"value\": {\"text\": \"green tea\", \"embedding\": [1, 0.1]}, \"tags\": {\"type\": \"taste\"}";
        put("[\"n\", \"1\"]", "food.tea", near);
        put(
                "[\"n\", \"2\"]",
                "food.bread",
                near.replace("green tea", "rye bread").replace("0.1", "0.2"));
        put("[\"n\", \"2\"]", "work", near.replace("taste", "fact").replace("0.1", "0.3"));
        put("[\"nn\"]", "outside", near);

        assertThat(found("{\"vector\": [1, 0]}")).containsExactly("food.tea", "food.bread", "work");
        assertThat(found("{\"vector\": [1, 0], \"tags\": {\"type\": \"taste\"}}"))
                .containsExactly("food.tea", "food.bread");
        assertThat(found("{\"vector\": [1, 0.2], \"key_prefix\": \"food\"}")).containsExactly("food.bread", "food.tea");
        assertThat(found("{\"vector\": [1, 0], \"text\": \"bread or butter\"}")).containsExactly("food.bread");
        assertThat(keys(answer(memory.search(scope, json("{\"namespace\": [], \"query\": {\"vector\": [1, 0]}}")))))
                .contains("outside")
                .hasSize(4);
    }

    /** Without, a change of the model would rank what cannot be compared, or hide it without a word. */
    @Test
    void comparesWithTheSameNumberOfDimensionsAloneAndSaysHowManyHadAnother() {
        putVector("[\"n\"]", "old", "[1, 0, 0]");
        putVector("[\"n\"]", "older", "[1]");
        putVector("[\"n\"]", "new", "[0, 1]");

        JsonNode answer = search(memory, "{\"vector\": [1, 0]}", 20);

        assertThat(keys(answer)).containsExactly("new");
        assertThat(answer.path("other_dimensions").asInt()).isEqualTo(2);
        assertThat(search(memory, "{\"vector\": [1, 0, 0, 0]}", 20)).isEqualTo(json("""
                {"items": [], "search_mode": "exact", "compared": 0, "complete": true, "other_dimensions": 3}"""));
    }

    /** Whoever keeps something else under that name may, and no answer claims that it is a vector. */
    @Test
    void keepsWhatIsNoVectorAsAnyOtherMember() {
        for (String other : List.of("\"a text\"", "[]", "[0, 0]", "[1, \"2\"]", "null", "{\"a\": [1]}")) {
            assertThat(putVector("[\"n\"]", "k", other).has("embedding_dimensions"))
                    .as(other)
                    .isFalse();
        }
        assertThat(search(memory, "{\"vector\": [1, 0]}", 20).path("compared").asInt())
                .isZero();
    }

    @Test
    void comparesTheNewestWhereThereAreMoreThanItMayAndSaysSo() {
        Memory bounded = memory(new MemorySettings(ROOMY.project(), ROOMY.sizes(), 8, 1_000, 1_000, 3, LIMIT));
        putVector("[\"n\"]", "oldest", "[1, 0]");
        for (String key : List.of("a", "b", "c")) {
            putVector("[\"n\"]", key, "[0, 1]");
        }

        JsonNode answer = search(bounded, "{\"vector\": [1, 0]}", 20);

        assertThat(keys(answer)).containsExactlyInAnyOrder("a", "b", "c");
        assertThat(answer.path("compared").asInt()).isEqualTo(3);
        assertThat(answer.path("complete").asBoolean()).isFalse();
        assertThat(search(bounded, "{\"vector\": [1, 0], \"key_prefix\": \"oldest\"}", 20)
                        .path("complete")
                        .asBoolean())
                .isTrue();
    }

    /** Of equals the newest; the same each time. */
    @Test
    void ranksEqualsByTheirTime() {
        for (int i = 0; i < 9; i++) {
            putVector("[\"n\"]", "k" + i, "[" + (i + 1) + ", 0]");
        }

        assertThat(keys(search(memory, "{\"vector\": [1, 0]}", 4))).containsExactly("k8", "k7", "k6", "k5");
    }

    /** So many of so many dimensions that they are read in three pieces. Seen to fail: with the furthest first. */
    @Test
    void ranksAsAComparisonOfAllWithAllDoes() {
        Random random = new Random(SEED);
        List<double[]> vectors = IntStream.range(0, 140)
                .mapToObj(_ -> random.doubles(Embedding.DIMENSIONS_MAX, -1, 1).toArray())
                .toList();
        for (int i = 0; i < vectors.size(); i++) {
            put("[\"n\"]", "k" + i, "\"embedding\": " + Arrays.toString(vectors.get(i)));
        }
        double[] asked = random.doubles(Embedding.DIMENSIONS_MAX, -1, 1).toArray();

        JsonNode answer = search(memory, "{\"vector\": " + Arrays.toString(asked) + "}", 200);

        List<Integer> wanted =
                new ArrayList<>(IntStream.range(0, vectors.size()).boxed().toList());
        wanted.sort(Comparator.comparingDouble(i -> -cosine(asked, vectors.get(i))));
        assertThat(answer.path("compared").asInt()).isEqualTo(vectors.size());
        assertThat(keys(answer)).isEqualTo(wanted.stream().map(i -> "k" + i).toList());
        assertThat(answer.path("items").get(0).path("score").asDouble())
                .isCloseTo(cosine(asked, vectors.get(wanted.getFirst())), within(1e-6));
    }

    private static double cosine(double[] one, double[] other) {
        double product = 0;
        double ones = 0;
        double others = 0;
        for (int i = 0; i < one.length; i++) {
            product += one[i] * other[i];
            ones += one[i] * one[i];
            others += other[i] * other[i];
        }
        return product / Math.sqrt(ones * others);
    }

    @Test
    void findsNoVectorThatWasReplacedHasExpiredOrIsAnothers() {
        putVector("[\"n\"]", "replaced", "[1, 0]");
        put("[\"n\"]", "replaced", "\"value\": {}");
        put("[\"n\"]", "brief", "\"embedding\": [1, 0], \"ttl_seconds\": 60");
        ProjectScope other = newProject(scope.tenant());
        answer(memory.put(other, json("{\"namespace\": [\"n\"], \"key\": \"k\", \"embedding\": [1, 0]}")));
        assertThat(found("{\"vector\": [1, 0]}")).containsExactly("brief");

        clock.move(Duration.ofSeconds(61));

        assertThat(search(memory, "{\"vector\": [1, 0]}", 20)).isEqualTo(json("""
                {"items": [], "search_mode": "exact", "compared": 0, "complete": true, "other_dimensions": 0}"""));
    }

    @Test
    void countsAVectorAsWhatItTakes() {
        put("[\"n\"]", "k", "\"value\": {}");
        long without = await(store(ROOMY).used(scope)).bytes();

        put("[\"n\"]", "k", "\"value\": {}, \"embedding\": [1, 2, 3]");

        assertThat(await(store(ROOMY).used(scope)).bytes()).isEqualTo(without + 12);
        put("[\"n\"]", "k", "\"value\": {}");
        assertThat(await(store(ROOMY).used(scope)).bytes()).isEqualTo(without);
    }
}
