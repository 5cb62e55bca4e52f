package io.aiel.plane.gateway.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options by which a command finds the running server and a token for it. */
final class ServerChoice {
    @Option(
            names = "--data",
            paramLabel = "DIR",
            description = "The server's data folder, where its address and token are found (default: .plane).")
    private @Nullable Path data;

    @Option(names = "--url", description = "The server's address, for a server that is not of the data folder.")
    private @Nullable String url;

    @Option(names = "--token-file", paramLabel = "FILE", description = "A file that holds the token to use.")
    private @Nullable Path tokenFile;

    DataFolder folder() {
        return DataFolder.of(Optional.ofNullable(data));
    }

    PlaneClient client() {
        DataFolder folder = folder();
        String address = url != null
                ? url
                : folder.runningUrl()
                        .orElseThrow(() -> new CommandFailed("No server is running on the data folder " + folder.root()
                                + ". Start one with ./plane up, or name one with --url (and --token-file)."));
        return new PlaneClient(address, token(folder));
    }

    private String token(DataFolder folder) {
        Path file = tokenFile != null ? tokenFile : folder.tokenFile();
        try {
            String token = Files.readString(file).strip();
            if (token.isEmpty()) {
                throw new CommandFailed("The token file " + file + " is empty.");
            }
            return token;
        } catch (IOException e) {
            throw new CommandFailed(
                    "Cannot read the token from " + file + " (" + e.getClass().getSimpleName()
                            + "). Name the file with --token-file.",
                    e);
        }
    }
}
