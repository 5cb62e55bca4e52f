package io.aiel.plane.gateway.callback;

/**
 * What a caller wants to be told, and where.
 *
 * @param includeResult whether the envelope goes along, as long as it is kept
 */
public record CallbackWish(CallbackUrl url, boolean includeResult) {
    /** The URL as it is stored with the wish; nowhere else. */
    public String storedUrl() {
        return url.reveal();
    }
}
