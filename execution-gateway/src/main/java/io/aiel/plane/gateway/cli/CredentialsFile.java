package io.aiel.plane.gateway.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.aiel.plane.gateway.embedded.PrivateFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;

/** The file from which the published command-line client reads its profiles. */
final class CredentialsFile {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path file;

    CredentialsFile(Path home) {
        this.file = home.resolve(".config").resolve("aiel").resolve("credentials.json");
    }

    Path path() {
        return file;
    }

    /**
     * Adds or replaces one profile and makes it the current one; every other profile and member stays.
     *
     * @param name the profile's name
     * @param profile its members
     */
    void put(String name, ObjectNode profile) {
        ObjectNode root = read();
        root.withObject("/profiles").set(name, profile);
        root.put("current_profile", name);
        try {
            Files.createDirectories(
                    file.getParent(),
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            PrivateFiles.write(file, root.toPrettyString() + "\n");
        } catch (IOException e) {
            throw new CommandFailed("Cannot write " + file + ": " + e, e);
        }
    }

    private ObjectNode read() {
        try {
            if (!Files.exists(file)) {
                return JSON.createObjectNode().put("version", 1);
            }
            JsonNode found = JSON.readTree(Files.readString(file));
            if (found instanceof ObjectNode object
                    && (object.path("profiles").isObject()
                            || object.path("profiles").isMissingNode())) {
                return object;
            }
        } catch (JsonProcessingException e) {
            throw unreadable(e);
        } catch (IOException e) {
            throw new CommandFailed("Cannot read " + file + ": " + e, e);
        }
        throw unreadable(null);
    }

    /** Overwriting it could destroy somebody's tokens. */
    private CommandFailed unreadable(@org.jspecify.annotations.Nullable Exception cause) {
        return new CommandFailed(
                file + " is not a credentials file that can be added to, so it was left as it is."
                        + " Repair it or move it away, then try again.",
                cause);
    }

    /**
     * The profile that a login with this answer of {@code GET /v1/auth/me} makes.
     *
     * @param baseUrl the server
     * @param token the token
     * @param me the answer
     * @param workspace the slug or id of the workspace to select; the first when empty
     * @param project the slug or id of the project to select; the first when empty
     * @return the members of the profile
     */
    static ObjectNode profile(
            String baseUrl, String token, JsonNode me, Optional<String> workspace, Optional<String> project) {
        ObjectNode profile = JSON.createObjectNode();
        profile.put("base_url", baseUrl);
        profile.put("token", token);
        profile.set("user", me.path("email").isTextual() ? me.path("email") : me.path("user_id"));
        profile.set("user_id", me.path("user_id"));
        profile.set("tenant", me.path("tenant_name"));
        profile.set("tenant_id", me.path("tenant_id"));
        choose("workspace", me.path("workspaces"), workspace).ifPresent(chosen -> {
            profile.set("workspace", reference(chosen));
            choose("project", chosen.path("projects"), project)
                    .ifPresent(inside -> profile.set("project", reference(inside)));
        });
        return profile;
    }

    private static Optional<JsonNode> choose(String kind, JsonNode offered, Optional<String> wanted) {
        for (JsonNode one : offered) {
            if (wanted.isEmpty()
                    || wanted.get().equals(one.path("slug").asText())
                    || wanted.get().equals(one.path("id").asText())) {
                return Optional.of(one);
            }
        }
        if (wanted.isPresent()) {
            throw new CommandFailed("The token sees no " + kind + " '" + wanted.get() + "'.");
        }
        return Optional.empty();
    }

    private static ObjectNode reference(JsonNode from) {
        ObjectNode reference = JSON.createObjectNode();
        for (String member : new String[] {"id", "slug", "name"}) {
            reference.set(member, from.path(member));
        }
        return reference;
    }
}
