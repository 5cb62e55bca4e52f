package io.aiel.plane.gateway.integration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class FirestoreValuesTest {
    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '\'', textBlock = """
            {"v":null}                                  | {"v":{"nullValue":null}}
            {"v":true}                                  | {"v":{"booleanValue":true}}
            {"v":9223372036854775807}                   | {"v":{"integerValue":"9223372036854775807"}}
            {"v":-1}                                    | {"v":{"integerValue":"-1"}}
            {"v":1.5}                                   | {"v":{"doubleValue":1.5}}
            {"v":2.0}                                   | {"v":{"doubleValue":2.0}}
            {"v":{"$double":"NaN"}}                     | {"v":{"doubleValue":"NaN"}}
            {"v":{"$double":"-Infinity"}}               | {"v":{"doubleValue":"-Infinity"}}
            {"v":"text"}                                | {"v":{"stringValue":"text"}}
            {"v":{"$timestamp":"2026-01-02T03:04:05Z"}} | {"v":{"timestampValue":"2026-01-02T03:04:05Z"}}
            {"v":{"$bytes":"AAEC"}}                     | {"v":{"bytesValue":"AAEC"}}
            {"v":{"$reference":"projects/p/x"}}         | {"v":{"referenceValue":"projects/p/x"}}
            {"v":{"$geo_point":{"latitude":1.5,"longitude":-2.5}}} | {"v":{"geoPointValue":{"latitude":1.5,"longitude":-2.5}}}
            {"v":[]}                                    | {"v":{"arrayValue":{"values":[]}}}
            {"v":[1,{"a":[2]}]}                         | {"v":{"arrayValue":{"values":[{"integerValue":"1"},{"mapValue":{"fields":{"a":{"arrayValue":{"values":[{"integerValue":"2"}]}}}}}]}}}
            {"v":{}}                                    | {"v":{"mapValue":{"fields":{}}}}
            {"v":{"$map":{"$timestamp":"mine"}}}        | {"v":{"mapValue":{"fields":{"$timestamp":{"stringValue":"mine"}}}}}
            {"v":{"$map":{"$map":1}}}                   | {"v":{"mapValue":{"fields":{"$map":{"integerValue":"1"}}}}}
            {"v":{"$a":1,"$b":2}}                       | {"v":{"mapValue":{"fields":{"$a":{"integerValue":"1"},"$b":{"integerValue":"2"}}}}}
            """)
    void goesThereAndBackWithoutLoss(String plain, String typed) {
        assertThat(FirestoreValues.fields(Calls.object(plain))).hasToString(typed);
        assertThat(FirestoreValues.plain(Calls.object(typed))).hasToString(plain);
    }

    /** As the API has it, where a double without a fraction may come as {@code 3} and empty lists and maps as nothing. */
    @Test
    void readsTheApisOwnShortForms() {
        assertThat(FirestoreValues.plain(Calls.object(
                                "{\"d\":{\"doubleValue\":3},\"a\":{\"arrayValue\":{}},\"m\":{\"mapValue\":{}}}"))
                        .toString())
                .isEqualTo("{\"d\":3.0,\"a\":[],\"m\":{}}");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"v\":[[1]]}",
                "{\"v\":9223372036854775808}",
                "{\"v\":{\"$unknown\":1}}",
                "{\"v\":{\"$timestamp\":5}}",
                "{\"v\":{\"$double\":\"much\"}}",
                "{\"v\":{\"$geo_point\":{\"latitude\":1}}}",
                "{\"v\":{\"$map\":1}}"
            })
    void refusesWhatFirestoreHasNoTypeFor(String plain) {
        assertThatThrownBy(() -> FirestoreValues.fields(Calls.object(plain)))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void namesTheFieldsThatAMergeSets() {
        assertThat(FirestoreValues.mask(
                                Calls.object(
                                        "{\"a\":1,\"b\":{\"c\":{\"$timestamp\":\"t\"},\"d e\":{}},\"f`\\\\g\":[1],\"h\":{\"$map\":{\"$i\":1}}}"))
                        .toString())
                .isEqualTo("[\"a\",\"b.c\",\"b.`d e`\",\"`f\\\\`\\\\\\\\g`\",\"h.`$i`\"]");
        assertThatThrownBy(() -> FirestoreValues.mask(Calls.object("{}"))).hasMessageContaining("nothing to merge");
    }
}
