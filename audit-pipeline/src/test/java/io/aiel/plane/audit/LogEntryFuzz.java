package io.aiel.plane.audit;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.aiel.plane.vocabulary.Digest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** Messages of the audit topic: refused by the one error, or fit for the database's columns as they are. */
public final class LogEntryFuzz {
    private static final JsonFactory JSON = new JsonFactory();

    private LogEntryFuzz() {}

    /** The bytes of a message. */
    public static void fuzzerTestOneInput(byte[] input) {
        LogEntry entry;
        try {
            entry = LogEntry.parse(input);
        } catch (IllegalArgumentException refused) {
            return;
        }
        require(entry.hash().equals(Digest.of(input).value()), "the hash covers the bytes that came");
        require(entry.canonical().equals(new String(input, StandardCharsets.UTF_8)), "the bytes are kept");
        require(entry.sequence() >= 1, "sequences begin at one");
        // timestamptz ends in the year 294276; one message beyond would fail a whole batch.
        require(entry.time().getYear() >= 2000 && entry.time().getYear() <= 9999, "a time that columns hold");
        require(entry.canonical().indexOf('\0') < 0 && entry.canonical().indexOf('\n') < 0, "one line without NUL");
        require(entry.stream().length() <= 200 && entry.type().length() <= 200, "bounded columns");
        String capability = entry.capability();
        require(
                capability == null || capability.getBytes(StandardCharsets.UTF_8).length <= 2_000,
                "a capability that an index entry holds");
        require(documents(entry.canonical()) == 1, "one record is one document");
    }

    private static int documents(String text) {
        int documents = 0;
        int depth = 0;
        try (JsonParser parser = JSON.createParser(text)) {
            for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
                documents += depth == 0 ? 1 : 0;
                depth += token.isStructStart() ? 1 : token.isStructEnd() ? -1 : 0;
            }
        } catch (IOException e) {
            throw new AssertionError("a record that is no JSON", e);
        }
        return documents;
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
