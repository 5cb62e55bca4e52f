package io.aiel.plane.gateway.cli;

import io.aiel.plane.gateway.embedded.EmbeddedServerFailed;
import io.aiel.plane.gateway.http.ConnectionWatching;
import io.quarkus.runtime.annotations.QuarkusMain;
import java.io.PrintWriter;
import java.util.logging.Logger;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

/** Where the packaged application begins: reads the command line and runs one command. */
@QuarkusMain
public final class Main {
    private Main() {}

    /**
     * Runs one command and ends the process with its code.
     *
     * @param arguments the command and its options
     */
    public static void main(String... arguments) {
        // The log manager must be there before the threads of the embedded servers' clients ask for it at the same
        // time.
        Logger.getLogger("io.aiel.plane").isLoggable(java.util.logging.Level.FINE);
        // Before the first server is made; see the class.
        System.setProperty(ConnectionWatching.ENABLED_BY, ConnectionWatching.ENABLED);
        System.exit(commandLine().execute(arguments));
    }

    static CommandLine commandLine() {
        var commandLine = new CommandLine(new PlaneCommand()).setExecutionExceptionHandler((exception, command, _) -> {
            report(exception, command.getErr());
            return command.getCommandSpec().exitCodeOnExecutionException();
        });
        offerHelp(commandLine);
        return commandLine;
    }

    /** Help for the command and every one below it; the command {@code help} brings an option of its own. */
    private static void offerHelp(CommandLine commandLine) {
        if (commandLine.getCommandSpec().findOption("--help") == null) {
            commandLine
                    .getCommandSpec()
                    .addOption(OptionSpec.builder("-h", "--help")
                            .usageHelp(true)
                            .description("Shows this help.")
                            .build());
        }
        commandLine.getSubcommands().values().forEach(Main::offerHelp);
    }

    /** Expected failures explain themselves; only a bug shows where it happened. */
    private static void report(Exception exception, PrintWriter err) {
        if (exception instanceof CommandFailed || exception instanceof EmbeddedServerFailed) {
            err.println("plane: " + exception.getMessage());
        } else {
            err.println("plane: unexpected failure, please report it:");
            exception.printStackTrace(err);
        }
        err.flush();
    }
}
