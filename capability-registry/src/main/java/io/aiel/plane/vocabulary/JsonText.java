package io.aiel.plane.vocabulary;

import java.util.Objects;

/**
 * One well-formed JSON document as text. Whoever makes one vouches that it is well-formed; the vocabulary does not parse, so
 * that documents can cross modules without being decoded and encoded again.
 */
public record JsonText(String value) {
    public JsonText {
        Objects.requireNonNull(value, "value");
    }

    @Override
    public String toString() {
        return "JsonText(" + value.length() + " characters)";
    }
}
