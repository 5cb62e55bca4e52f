package io.aiel.plane.gateway.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

@Command(
        name = "plane",
        description = "Runs other people's AI code under control.",
        synopsisSubcommandLabel = "COMMAND",
        footer = {
            "",
            "Also: plane test (runs all tests of the repository), plane bench (measures; with SUITE a long suite), plane build."
        },
        subcommands = {
            UpCommand.class,
            LoginCommand.class,
            DemoCommand.class,
            TokenCommand.class,
            ConnectionCommand.class,
            BundleCommand.class,
            DoctorCommand.class,
            VersionCommand.class,
            CommandLine.HelpCommand.class
        })
final class PlaneCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec = CommandSpec.create();

    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getOut());
        return CommandLine.ExitCode.USAGE;
    }
}
