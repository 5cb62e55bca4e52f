package io.aiel.plane.registry.files;

/** A text is not a path that a file may have. The message says why and is fit for the caller. */
public final class InvalidPath extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    InvalidPath(String why) {
        super(why);
    }
}
