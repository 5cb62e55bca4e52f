package io.aiel.plane.gateway.http;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.aiel.plane.vocabulary.ErrorCode;
import jakarta.ws.rs.core.Response;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/** What goes to a handler by its address, and what comes from one: read in one way, or refused. */
public final class HandlerFuzz {
    private static final String BASE = "/v1/workspaces/w/projects/p/http";
    private static final ObjectMapper JSON = new ObjectMapper();

    private HandlerFuzz() {}

    /** The path below the handlers with its query, and a handler's result. */
    public static void fuzzerTestOneInput(byte[] input) {
        String text = new String(input, StandardCharsets.UTF_8);
        refusable(() -> HandlerRequest.path(BASE + text)).ifPresent(HandlerFuzz::checkPath);
        refusable(() -> HandlerRequest.query(text))
                .ifPresent(query -> query.forEach(
                        value -> require(value.isTextual() || value.size() > 1, "a text, or several texts")));
        try {
            checkAnswer(HandlerResponse.of(200, JSON.readTree(text), JSON).build());
        } catch (JsonProcessingException | HandlerResponse.Unsendable e) {
            // Refused, or no JSON at all.
        }
    }

    private static void checkPath(String path) {
        require(path.startsWith("/") && path.chars().noneMatch(Character::isISOControl), "a path of plain characters");
        StringBuilder again = new StringBuilder();
        for (String segment : List.of(path.substring(1).split("/", -1))) {
            require(!segment.equals(".") && !segment.equals(".."), "nothing to resolve");
            require(segment.indexOf('\\') < 0, "no slash of another kind");
            again.append('/')
                    .append(URLEncoder.encode(segment, StandardCharsets.UTF_8).replace("+", "%20"));
        }
        require(HandlerRequest.path(BASE + again).equals(path), "the same path, however it is encoded");
    }

    private static void checkAnswer(Response answer) {
        answer.getStringHeaders().forEach((name, values) -> {
            require(!name.equalsIgnoreCase("set-cookie") && !name.equalsIgnoreCase("connection"), "kept back: " + name);
            require(
                    values.stream().allMatch(value -> value.chars().allMatch(c -> c == '\t' || (c >= ' ' && c < 0x7f))),
                    "a header is one line");
        });
    }

    private static <T> Optional<T> refusable(Supplier<T> reader) {
        try {
            return Optional.of(reader.get());
        } catch (Refusal refused) {
            require(refused.code() == ErrorCode.MALFORMED_REQUEST, "the caller's mistake");
            return Optional.empty();
        }
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
