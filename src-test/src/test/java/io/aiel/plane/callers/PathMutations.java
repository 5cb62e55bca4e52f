package io.aiel.plane.callers;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Other spellings of a path, with which rules on paths have been got around elsewhere. */
final class PathMutations {
    private PathMutations() {}

    /** Request targets that some reader may take for {@code path}; the path itself is the first. */
    static List<String> of(String path) {
        List<String> targets = new ArrayList<>();
        targets.add(path);
        // Parameters of segments.
        for (String suffix : List.of(";x", ";", ";jsessionid=1", ";.css", "%3bx", "%3b")) {
            targets.add(path + suffix);
        }
        for (int slash = path.indexOf('/', 1); slash > 0; slash = path.indexOf('/', slash + 1)) {
            targets.add(path.substring(0, slash) + ";x" + path.substring(slash));
            targets.add(path.substring(0, slash) + "/" + path.substring(slash));
            targets.add(path.substring(0, slash) + "/." + path.substring(slash));
            targets.add(path.substring(0, slash) + "/%2e" + path.substring(slash));
            targets.add(path.substring(0, slash) + "%2f" + path.substring(slash + 1));
            targets.add(path.substring(0, slash) + "\\" + path.substring(slash + 1));
            targets.add(path.substring(0, slash) + "%5c" + path.substring(slash + 1));
        }
        // Detours, also through what is open.
        for (String detour : List.of(
                "/",
                "//",
                "/.",
                "/%2e",
                "/x/..",
                "/x/%2e%2e",
                "/x/.%2e",
                "/x/..;",
                "/x/..;x",
                "/x%2f..",
                "/x/..%2f",
                "/x/%2e%2e%2f",
                "/x/..%5c",
                "/x/..\\",
                "/x/%252e%252e",
                "/x/%c0%ae%c0%ae",
                "/q/health/live/../../..",
                "/q/health/live/%2e%2e/%2e%2e/%2e%2e",
                "/q/health/live/..;/..;/..;",
                "/q/health/live%2f..%2f..%2f..",
                "/q/health/live;/../../..",
                "/q/health/ready/../../../",
                "/v1/..",
                "/v1/%2e%2e",
                "/v1/..;",
                "/v1/x/../..",
                "/v1%2f..",
                "/v1/signed/uploads/x/../../../..")) {
            targets.add(detour + path);
        }
        // Ends.
        for (String suffix : List.of(
                "/",
                "//",
                "/.",
                "/..;/",
                ".",
                "..",
                "%20",
                "%09",
                "%0a",
                "%0d%0a",
                "%00",
                "%00.css",
                "%2e",
                "%2f",
                "%5c",
                "\\",
                "#",
                "%23",
                "%3f",
                "/%00",
                ".json",
                "~",
                "*",
                "%ff",
                "%c0%80",
                "/q/health/live",
                "/../live",
                "?/q/health/live",
                "%3f/q/health/live")) {
            targets.add(path + suffix);
        }
        // Letters.
        targets.add(path.toUpperCase(Locale.ROOT));
        targets.add("/" + path.substring(1, 2).toUpperCase(Locale.ROOT) + path.substring(2));
        targets.add("/" + encoded(path.charAt(1)) + path.substring(2));
        targets.add("/" + encoded(path.charAt(1)).toLowerCase(Locale.ROOT) + path.substring(2));
        targets.add("/%25" + Integer.toHexString(path.charAt(1)) + path.substring(2));
        targets.add("/%u00" + Integer.toHexString(path.charAt(1)) + path.substring(2));
        targets.add("/%EF%BD%" + Integer.toHexString(path.charAt(1) - 'a' + 0x81) + path.substring(2));
        targets.add("/\u00ef\u00bd\u0096" + path.substring(2));
        // Slashes that are none.
        for (String slash : List.of(
                "%u002f",
                "%252f",
                "%c0%af",
                "%e0%80%af",
                "%f0%80%80%af",
                "%ef%bc%8f",
                "%e2%81%84",
                "%e2%88%95",
                "%ef%bc%bc",
                "%25%32%66",
                "\u00c0\u00af")) {
            targets.add(slash + path.substring(1));
            targets.add("/" + path.substring(1).replace("/", slash));
        }
        // Forms of a target other than a path (RFC 9112, section 3.2).
        targets.add("http://127.0.0.1" + path);
        targets.add("http://evil.invalid" + path);
        targets.add("HTTP://plane" + path);
        targets.add("http:" + path);
        targets.add("//plane" + path);
        targets.add("file://" + path);
        targets.add("@plane" + path);
        targets.add(path.substring(1));
        targets.add("*" + path);
        targets.add("?" + path);
        return targets;
    }

    private static String encoded(char c) {
        return "%" + Integer.toHexString(c).toUpperCase(Locale.ROOT);
    }
}
