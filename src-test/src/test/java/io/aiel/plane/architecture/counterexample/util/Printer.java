package io.aiel.plane.architecture.counterexample.util;

/** Breaks "packages are named for what they are about", "nobody prints" and, with its package, "each package is marked". */
public final class Printer {
    private Printer() {}

    public static void print(String text) {
        System.out.println(text);
    }
}
