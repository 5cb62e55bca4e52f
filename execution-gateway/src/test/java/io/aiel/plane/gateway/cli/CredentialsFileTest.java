package io.aiel.plane.gateway.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CredentialsFileTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String ME = """
            {"user_id": "usr_1", "email": "dev@localhost", "tenant_id": "tnt_1", "tenant_name": "Development",
             "workspaces": [
               {"id": "ws_1", "slug": "demo", "name": "Demo", "projects": [
                 {"id": "prj_1", "slug": "hello", "name": "Hello"}, {"id": "prj_2", "slug": "other", "name": "Other"}]}]}
            """;

    @TempDir
    private Path home;

    @Test
    void writesTheMembersThatTheClientReads() throws Exception {
        var file = new CredentialsFile(home);

        file.put("default", CredentialsFile.profile("http://127.0.0.1:8080", "t0ken", me(), none(), none()));

        JsonNode written = JSON.readTree(Files.readString(file.path()));
        assertThat(written).isEqualTo(JSON.readTree("""
                                {"version": 1, "current_profile": "default", "profiles": {"default": {
                                  "base_url": "http://127.0.0.1:8080", "token": "t0ken", "user": "dev@localhost",
                                  "user_id": "usr_1", "tenant": "Development", "tenant_id": "tnt_1",
                                  "workspace": {"id": "ws_1", "slug": "demo", "name": "Demo"},
                                  "project": {"id": "prj_1", "slug": "hello", "name": "Hello"}}}}
                                """));
    }

    @Test
    void keepsOtherProfilesAndMembersItDoesNotKnow() throws Exception {
        var file = new CredentialsFile(home);
        Files.createDirectories(file.path().getParent());
        Files.writeString(file.path(), """
                {"version": 1, "current_profile": "work", "note": 7, "profiles": {"work": {"base_url": "https://w", "x": [1]}}}
                """);

        file.put("default", CredentialsFile.profile("http://127.0.0.1:1", "t", me(), none(), none()));

        JsonNode written = JSON.readTree(Files.readString(file.path()));
        assertThat(written.at("/profiles/work")).isEqualTo(JSON.readTree("{\"base_url\": \"https://w\", \"x\": [1]}"));
        assertThat(written.path("note").asInt()).isEqualTo(7);
        assertThat(written.path("current_profile").asText()).isEqualTo("default");
    }

    @Test
    void isReadableByItsOwnerAlone() throws Exception {
        var file = new CredentialsFile(home);

        file.put("default", CredentialsFile.profile("http://127.0.0.1:1", "t", me(), none(), none()));

        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file.path())))
                .isEqualTo("rw-------");
    }

    @Test
    void leavesAFileItCannotReadAsItIs() throws Exception {
        var file = new CredentialsFile(home);
        Files.createDirectories(file.path().getParent());
        Files.writeString(file.path(), "{broken");

        assertThatThrownBy(() -> file.put("default", CredentialsFile.profile("http://x", "t", me(), none(), none())))
                .isInstanceOf(CommandFailed.class)
                .hasMessageContaining(file.path().toString());
        assertThat(Files.readString(file.path())).isEqualTo("{broken");
    }

    @Test
    void selectsTheProjectThatIsAskedForAndRefusesAnUnknownOne() throws Exception {
        assertThat(CredentialsFile.profile("http://x", "t", me(), Optional.of("demo"), Optional.of("other"))
                        .at("/project/id")
                        .asText())
                .isEqualTo("prj_2");
        assertThatThrownBy(
                        () -> CredentialsFile.profile("http://x", "t", me(), Optional.of("demo"), Optional.of("none")))
                .isInstanceOf(CommandFailed.class)
                .hasMessageContaining("project 'none'");
    }

    private static JsonNode me() throws Exception {
        return JSON.readTree(ME);
    }

    private static Optional<String> none() {
        return Optional.empty();
    }
}
