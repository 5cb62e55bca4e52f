package io.aiel.plane.vocabulary;

/** An identifier does not have the form its type demands. */
public final class InvalidId extends IllegalArgumentException {
    private final String expectedPrefix;

    public InvalidId(String expectedPrefix, String found) {
        super("not a valid id: expected " + expectedPrefix + "_ and 32 hex digits, found a text of " + found.length()
                + " characters");
        this.expectedPrefix = expectedPrefix;
    }

    /** The prefix which the text should have had. */
    public String expectedPrefix() {
        return expectedPrefix;
    }
}
