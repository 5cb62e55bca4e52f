package io.aiel.plane.gateway.identity;

import io.aiel.plane.gateway.http.Refusal;
import io.aiel.plane.vocabulary.ErrorCode;
import io.aiel.plane.vocabulary.Role;
import io.aiel.plane.vocabulary.TokenText;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Reads the fields of one request body and collects everything that is wrong with them, so that the caller learns all of it at
 * once. Call {@link #check} before using what was read. Not thread-safe.
 */
final class Fields {
    private static final Pattern SLUG = Pattern.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?");
    private static final Pattern EMAIL = Pattern.compile("[^@\\s\\p{Cntrl}]{1,64}@[A-Za-z0-9.-]{1,190}");
    private static final int NAME_MAX = 200;
    private static final int LIST_MAX = 64;

    private final List<Map<String, String>> errors = new ArrayList<>();

    /** The body, which must be there. */
    static <T> T body(@Nullable T body) {
        if (body == null) {
            throw Refusal.invalid("", "a JSON object is needed as the body");
        }
        return body;
    }

    void wrong(String pointer, String message) {
        Map<String, String> error = new LinkedHashMap<>();
        error.put("pointer", pointer);
        error.put("message", message);
        errors.add(error);
    }

    /** Throws the refusal that names every wrong field, if there is any. */
    void check() {
        if (errors.isEmpty()) {
            return;
        }
        Map<String, String> first = errors.getFirst();
        throw new Refusal(
                ErrorCode.VALIDATION_ERROR,
                first.get("pointer") + ": " + first.get("message")
                        + (errors.size() > 1 ? " (and " + (errors.size() - 1) + " more)" : ""),
                Map.of("errors", errors));
    }

    String slug(String pointer, @Nullable String value) {
        if (value == null || !SLUG.matcher(value).matches()) {
            wrong(pointer, "needs 1 to 63 of a-z, 0-9 and -, not beginning or ending with -");
            return "";
        }
        return value;
    }

    String name(String pointer, @Nullable String value) {
        if (value == null
                || value.isBlank()
                || value.length() > NAME_MAX
                || value.codePoints().anyMatch(Character::isISOControl)) {
            wrong(pointer, "needs 1 to " + NAME_MAX + " characters, none of them a control character");
            return "";
        }
        if (TokenText.isIn(value)) {
            wrong(pointer, "holds a token, which would go on record; revoke that token and choose another name");
            return "";
        }
        return value.strip();
    }

    /** The name where it may be left out: then it is the other. */
    String nameOr(String pointer, @Nullable String value, String other) {
        return value == null ? other : name(pointer, value);
    }

    String email(String pointer, @Nullable String value) {
        if (value == null || !EMAIL.matcher(value).matches() || TokenText.isIn(value)) {
            wrong(pointer, "needs an e-mail address");
            return "";
        }
        return value;
    }

    Set<String> scopes(String pointer, @Nullable List<@Nullable String> values) {
        Set<String> scopes = new LinkedHashSet<>();
        if (values == null || values.isEmpty() || values.size() > LIST_MAX) {
            wrong(pointer, "needs 1 to " + LIST_MAX + " scopes, such as execution.invoke, files.* or *");
            return scopes;
        }
        for (int i = 0; i < values.size(); i++) {
            String scope = values.get(i);
            if (scope == null || !Scopes.wellFormed(scope)) {
                wrong(pointer + "/" + i, "is not a scope; examples are execution.invoke, files.* and *");
            } else {
                scopes.add(scope);
            }
        }
        return scopes;
    }

    Set<Role> roles(String pointer, List<@Nullable String> values) {
        EnumSet<Role> roles = EnumSet.noneOf(Role.class);
        if (values.isEmpty() || values.size() > LIST_MAX) {
            wrong(pointer, "needs 1 to " + LIST_MAX + " roles; leave it out for all that you may give");
        }
        for (int i = 0; i < Math.min(values.size(), LIST_MAX); i++) {
            Role role = role(pointer + "/" + i, values.get(i));
            if (role != null) {
                roles.add(role);
            }
        }
        return roles;
    }

    @Nullable
    Role role(String pointer, @Nullable String value) {
        try {
            return Role.parse(value == null ? "" : value);
        } catch (IllegalArgumentException e) {
            wrong(pointer, String.valueOf(e.getMessage()));
            return null;
        }
    }
}
